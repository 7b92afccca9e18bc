/**
 * The calls of `InboxRpcs` that go through the RPC server: everything but the subscription and its acknowledgements.
 *
 * **Details**
 *
 * What sends counts as so many calls of its sender, as over HTTP. All other calls are bounded by what may come through a socket
 * (`SocketLimits`) and by how many a socket may have under way.
 */
import { DateTime, Effect, Layer, Option } from "effect"
import type { Rpc } from "effect/rpc"
import { RpcSerialization, RpcServer } from "effect/rpc"
import type { Identity } from "@beckon/domain/Identity"
import { InboxRpcs } from "@beckon/domain/InboxRpcs"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import * as Policy from "@beckon/domain/Policy"
import { asTenant } from "@beckon/domain/ports/RowAccess"
import { Forbidden, NotFound } from "@beckon/domain/Problem"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { TokenVerifier } from "@beckon/domain/ports/Tokens"
import { RateLimits } from "../http/RateLimits.ts"
import { toProblem } from "../identity/Refusal.ts"
import { Inbox, storeToProblem } from "../inbox/Inbox.ts"
import { Sender } from "../inbox/Sender.ts"
import * as Wishes from "../inbox/Wishes.ts"
import { Watching } from "../topics/Watching.ts"
import { Gateway } from "./Gateway.ts"
import type { Session } from "./Session.ts"
import { Sessions } from "./Sessions.ts"

export class Calls extends InboxRpcs.omit("Subscribe", "Acknowledge") {}

const keyOf = (identity: Identity): MailboxKey => ({ tenantId: identity.tenantId, userId: identity.userId })

/** A call of a socket that has gone meanwhile has nobody to answer. */
const layerHandlers = Calls.toLayer(
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const sessions = yield* Sessions
    const inbox = yield* Inbox
    const sender = yield* Sender
    const devices = yield* DeviceStore
    const preferences = yield* PreferenceStore
    const verifier = yield* TokenVerifier
    const watching = yield* Watching
    const limits = yield* RateLimits

    /** The one place where calls of a socket are authorised: they touch the rows of the caller's tenant only. */
    const asCaller = <A, E>(
      client: Rpc.ServerClient,
      call: keyof typeof Policy.rpcScopes,
      body: (identity: Identity, session: Session) => Effect.Effect<A, E>
    ): Effect.Effect<A, E | Forbidden> =>
      Effect.suspend((): Effect.Effect<A, E | Forbidden> => {
        const session = sessions.byClientId(client.id)
        if (session === undefined) return Effect.interrupt
        const { identity } = session
        const scope = Policy.rpcScopes[call]
        return scope === undefined || Policy.allows(identity, scope)
          ? body(identity, session).pipe(
              asTenant(identity.tenantId),
              Effect.annotateLogs({ tenant: identity.tenantId, user: identity.userId })
            )
          : Effect.fail(new Forbidden({ detail: Policy.refusal(scope) }))
      })

    return Calls.of({
      MarkRead: (target, { client }) =>
        asCaller(client, "MarkRead", (identity) => inbox.markRead(keyOf(identity), target)),
      MarkUnread: ({ ids }, { client }) =>
        asCaller(client, "MarkUnread", (identity) => inbox.markUnread(keyOf(identity), ids)),
      Delete: ({ ids }, { client }) => asCaller(client, "Delete", (identity) => inbox.remove(keyOf(identity), ids)),
      List: (query, { client }) => asCaller(client, "List", (identity) => inbox.list(keyOf(identity), query)),
      UnreadCount: (_, { client }) =>
        asCaller(client, "UnreadCount", (identity) =>
          Effect.map(inbox.unreadCount(keyOf(identity)), (unread) => ({ unread }))
        ),
      RegisterDevice: (device, { client }) =>
        asCaller(client, "RegisterDevice", (identity) =>
          Effect.catch(devices.register(keyOf(identity), device), storeToProblem)
        ),
      UnregisterDevice: ({ token }, { client }) =>
        asCaller(client, "UnregisterDevice", (identity) =>
          Effect.flatMap(Effect.catch(devices.unregister(keyOf(identity), token), storeToProblem), (known) =>
            known ? Effect.void : Effect.fail(new NotFound({ detail: "token: no device of yours has this token" }))
          )
        ),
      GetPreferences: (_, { client }) =>
        asCaller(client, "GetPreferences", (identity) =>
          Effect.catch(preferences.get(keyOf(identity)), storeToProblem)
        ),
      SetPreferences: (wishes, { client }) =>
        asCaller(client, "SetPreferences", (identity) => Wishes.save(preferences, keyOf(identity), wishes)),
      RefreshToken: ({ token }, { client }) =>
        asCaller(client, "RefreshToken", (identity) =>
          Effect.gen(function* () {
            const fresh = yield* Effect.mapError(verifier.verify(token), toProblem)
            if (fresh.userId !== identity.userId || fresh.tenantId !== identity.tenantId) {
              return yield* new Forbidden({ detail: "token: it is another user's" })
            }
            gateway.refresh(client.id, fresh)
            return { expiresAt: DateTime.makeUnsafe(fresh.expiresAt) }
          })
        ),
      SendNotifications: ({ notifications }, { client }) =>
        asCaller(client, "SendNotifications", (identity) =>
          Effect.gen(function* () {
            const { refused } = yield* limits.take(identity, notifications.length)
            return yield* refused ?? sender.send(identity, notifications)
          })
        ),
      Watch: ({ topic }, { client }) => asCaller(client, "Watch", (_, session) => watching.watch(session, topic)),
      Unwatch: ({ topic }, { client }) => asCaller(client, "Unwatch", (_, session) => watching.unwatch(session, topic)),
      Publish: ({ data, topic }, { client }) =>
        asCaller(client, "Publish", (_, session) => watching.publish(session, topic, data))
    })
  })
)

const layerProtocol = Layer.effect(
  RpcServer.Protocol,
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const sessions = yield* Sessions
    return yield* RpcServer.Protocol.make((handle) =>
      Effect.sync(() => {
        gateway.calls(handle)
        return {
          disconnects: gateway.disconnects,
          send: (clientId, response) => Effect.sync(() => gateway.respond(clientId, response)),
          end: () => Effect.void,
          clientIds: Effect.sync(() => new Set(Array.from(sessions.all(), (session) => session.clientId))),
          initialMessage: Effect.succeed(Option.none()),
          supportsAck: false,
          supportsTransferables: false,
          supportsSpanPropagation: false,
          supportsNotifications: false,
          codecFor: RpcSerialization.json.codecFor
        }
      })
    )
  })
)

/** Serves the calls on the gateway's sockets. A handler that dies fails its own call, not the socket. */
export const layer = RpcServer.layer(Calls, { disableFatalDefects: true, disableTracing: true }).pipe(
  Layer.provide([layerHandlers, layerProtocol])
)
