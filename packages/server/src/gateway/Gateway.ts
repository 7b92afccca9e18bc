/**
 * The part of a node that holds sockets: opens and closes sessions, reads their messages, writes their frames.
 *
 * **Details**
 *
 * `Subscribe` and `Acknowledge` are handled here, without a fiber or an encoding for each message; every other call goes
 * to the RPC server through `calls`. Acknowledgements are gathered and told to the partitions in batches.
 */
import { Cause, Clock, Context, Duration, Effect, FiberSet, Layer, Queue, Random, Result, Schema } from "effect"
import { uuidV4Unsafe } from "effect/crypto/SecureRandom"
import * as CloseReason from "@beckon/domain/CloseReason"
import { SessionId } from "@beckon/domain/Identifiers"
import type { GatewayId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import { Acknowledge, socketPath, Subscribe, subprotocol } from "@beckon/domain/InboxRpcs"
import * as Policy from "@beckon/domain/Policy"
import { Forbidden, Unavailable } from "@beckon/domain/Problem"
import { TokenBuckets } from "@beckon/domain/ports/TokenBuckets"
import { TokenVerifier } from "@beckon/domain/ports/Tokens"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import { UpgradeRefused } from "@beckon/infra/uws/UwsWebSocket"
import type { UwsSocket } from "@beckon/infra/uws/UwsWebSocket"
import type { FromClientEncoded, FromServerEncoded, RequestEncoded } from "effect/rpc/RpcMessage"
import { Readiness } from "../api/Readiness.ts"
import { Standing } from "../identity/Standing.ts"
import * as ClientAddress from "../http/ClientAddress.ts"
import { HttpSettings } from "../http/HttpSettings.ts"
import { RateLimits } from "../http/RateLimits.ts"
import { Mailboxes } from "../mailbox/Mailboxes.ts"
import * as Acknowledgements from "./Acknowledgements.ts"
import * as ClientMessage from "./ClientMessage.ts"
import * as Evictions from "./Evictions.ts"
import { GatewaySettings } from "./GatewaySettings.ts"
import { PresenceKeeper } from "./PresenceKeeper.ts"
import * as Profiles from "./Profiles.ts"
import * as Session from "./Session.ts"
import { Sessions } from "./Sessions.ts"
import * as SocketLimits from "./SocketLimits.ts"
import * as Subscriber from "./Subscriber.ts"
import { authenticate } from "./UpgradeAuth.ts"
import { Tenants } from "../tenants/Tenants.ts"

const decodeSubscribe = Schema.decodeUnknownResult(Schema.toCodecJson(Subscribe.payloadSchema))
const decodeAcknowledge = Schema.decodeUnknownResult(Schema.toCodecJson(Acknowledge.payloadSchema))
const encodeForbidden = Schema.encodeSync(Schema.toCodecJson(Forbidden))
const encodeUnavailable = Schema.encodeSync(Schema.toCodecJson(Unavailable))

/** Milliseconds below which a draining gateway does not sleep. */
const minPause = 5

/** How long the last clients have to read why they were closed. */
const linger = "250 millis"

const leavingNow = new UpgradeRefused({
  status: 503,
  problem: { detail: "This node is going away; another one takes the connection." },
  headers: { "retry-after": "1" }
})

type CallHandler = (clientId: number, message: FromClientEncoded) => Effect.Effect<void>

export class Gateway extends Context.Service<
  Gateway,
  {
    readonly id: GatewayId
    /** Where the RPC server listens; one handler. */
    readonly calls: (handler: CallHandler) => void
    /** Clients that have gone, for the RPC server. */
    readonly disconnects: Queue.Dequeue<number>
    readonly respond: (clientId: number, response: FromServerEncoded) => void
    /** Replaces a session's identity after a new token; the same user only. */
    readonly refresh: (clientId: number, identity: Identity) => void
    /** Takes no new sockets, and tells every client to come back, spread over `drainOver`. */
    readonly drain: Effect.Effect<void>
  }
>()("@beckon/server/gateway/Gateway") {
  static readonly layer = Layer.effect(
    Gateway,
    Effect.gen(function* () {
      const server = yield* UwsServer
      const settings = yield* GatewaySettings
      const verifier = yield* TokenVerifier
      const directory = yield* UserDirectory
      const mailboxes = yield* Mailboxes
      const sessions = yield* Sessions
      const disconnects = yield* Queue.unbounded<number>()
      // Fibers that the socket's callbacks start; they end with the gateway.
      const fork = yield* FiberSet.makeRuntime()
      const acknowledgements = yield* Acknowledgements.make(mailboxes)
      const presence = yield* PresenceKeeper
      const limits = yield* RateLimits
      const { trustedProxies } = yield* HttpSettings
      const admit = SocketLimits.make(settings, yield* Tenants, yield* TokenBuckets)
      const rememberProfile = Profiles.make(directory)
      const subscriber = Subscriber.make(sessions.gatewayId, mailboxes, settings, sessions.attachments)
      let draining = false
      yield* (yield* Readiness).add(
        "This node is going away",
        Effect.suspend(() => (draining ? Effect.fail("draining") : Effect.void))
      )
      let handleCall: CallHandler = () => Effect.void

      const respond = (session: Session.Session, response: FromServerEncoded) =>
        Session.send(session, JSON.stringify(response), settings)

      const die = (session: Session.Session, requestId: string | number, defect: string) =>
        respond(session, { _tag: "Exit", requestId, exit: { _tag: "Failure", cause: [{ _tag: "Die", defect }] } })

      const refuse = (session: Session.Session, detail: string) => {
        respond(session, { _tag: "Defect", defect: `Malformed frame: ${detail}` })
        Session.close(session, CloseReason.badRequest, detail)
      }

      const endSubscription = (session: Session.Session) => {
        const subscription = session.subscription
        if (subscription === undefined) return
        session.subscription = undefined
        subscription.fiber?.interruptUnsafe()
        if (subscription.attachment === undefined) return
        sessions.forget(subscription)
        fork(Effect.ignore(mailboxes.detach(session.key, subscription.attachment)))
      }

      const subscribe = (session: Session.Session, request: RequestEncoded) => {
        const payload = decodeSubscribe(request.payload ?? {})
        if (Result.isFailure(payload)) return die(session, request.id, payload.failure.message)
        if (session.subscription !== undefined) {
          return die(session, request.id, "Subscribe: this socket has a subscription; a socket has one")
        }
        if (!Policy.allows(session.identity, Policy.rpcScopes.Subscribe)) {
          const error = encodeForbidden(new Forbidden({ detail: Policy.refusal(Policy.rpcScopes.Subscribe) }))
          const exit = { _tag: "Failure", cause: [{ _tag: "Fail", error }] } as const
          return respond(session, { _tag: "Exit", requestId: request.id, exit })
        }
        const subscription = Session.makeSubscription(request.id, payload.success.position)
        session.subscription = subscription
        subscription.fiber = fork(
          subscriber.begin(session, subscription).pipe(
            Effect.catchCause((cause) =>
              Effect.sync(() => {
                if (Cause.hasInterruptsOnly(cause) || session.subscription !== subscription) return
                endSubscription(session)
                const error = Cause.findErrorOption(cause)
                const problem =
                  error._tag === "Some" ? error.value : new Unavailable({ detail: "The subscription failed." })
                respond(session, {
                  _tag: "Exit",
                  requestId: request.id,
                  exit: { _tag: "Failure", cause: [{ _tag: "Fail", error: encodeUnavailable(problem) }] }
                })
              })
            )
          )
        )
      }

      const acknowledge = (session: Session.Session, request: RequestEncoded) => {
        const payload = decodeAcknowledge(request.payload)
        if (Result.isFailure(payload)) return die(session, request.id, payload.failure.message)
        acknowledgements.add(session.key, payload.success.position)
        respond(session, { _tag: "Exit", requestId: request.id, exit: { _tag: "Success", value: null } })
      }

      const call = (session: Session.Session, request: RequestEncoded) => {
        if (session.calls >= settings.maxCalls) {
          return Session.close(session, CloseReason.tooManyMessages, `at most ${settings.maxCalls} calls at a time`)
        }
        session.calls += 1
        fork(handleCall(session.clientId, request))
      }

      const handle = (session: Session.Session, message: FromClientEncoded) => {
        switch (message._tag) {
          case "Ping":
            return respond(session, { _tag: "Pong" })
          case "Request":
            if (message.tag === Subscribe._tag) return subscribe(session, message)
            if (message.tag === Acknowledge._tag) return acknowledge(session, message)
            return call(session, message)
          case "Interrupt": {
            const subscription = session.subscription
            if (subscription?.requestId !== message.requestId) return void fork(handleCall(session.clientId, message))
            endSubscription(session)
            const exit = { _tag: "Failure", cause: [{ _tag: "Interrupt", fiberId: null }] } as const
            return respond(session, { _tag: "Exit", requestId: message.requestId, exit })
          }
          case "Ack":
          case "Eof":
            return
        }
      }

      const clock = yield* Clock.Clock
      const onMessage = (socket: UwsSocket<Session.Session>, message: string | ArrayBuffer) => {
        const session = socket.data
        const now = clock.currentTimeMillisUnsafe()
        const { bytes, messages: turns } = session.flows
        const flood = (flow: SocketLimits.Flow, what: string) =>
          Session.close(session, CloseReason.tooManyMessages, SocketLimits.say(flow, what))
        if (session.unacknowledgedChunks > 0 && typeof message === "string" && ClientMessage.isChunkAck(message)) {
          session.unacknowledgedChunks -= 1
          return
        }
        if (!SocketLimits.pass(turns, 1, now)) return flood(turns, "messages")
        const size = typeof message === "string" ? Buffer.byteLength(message) : message.byteLength
        if (!SocketLimits.pass(bytes, size, now)) return flood(bytes, "bytes")
        if (typeof message !== "string") return refuse(session, "only text frames")
        const messages = ClientMessage.parse(message)
        if (Result.isFailure(messages)) return refuse(session, messages.failure)
        const more = messages.success.length - 1
        if (more > 0 && !SocketLimits.pass(turns, more, now)) return flood(turns, "messages")
        for (const one of messages.success) handle(session, one)
      }

      yield* server.websocket<Session.Session>(socketPath, {
        authenticate: (request) =>
          draining
            ? Effect.fail(leavingNow)
            : Effect.gen(function* () {
                const address = ClientAddress.of(
                  request.remoteAddress,
                  request.headers["x-forwarded-for"],
                  trustedProxies
                )
                const failed = limits.failed(address)
                const { identity, subprotocol: chosen } = yield* authenticate(request, verifier, failed)
                const allowed = yield* admit(request, identity)
                const data: Session.Session = {
                  id: SessionId.make(uuidV4Unsafe(), { disableChecks: true }),
                  clientId: sessions.nextClientId(),
                  key: { tenantId: identity.tenantId, userId: identity.userId },
                  identity,
                  socket: undefined,
                  subscription: undefined,
                  flows: SocketLimits.makeFlows(allowed, clock.currentTimeMillisUnsafe()),
                  unacknowledgedChunks: 0,
                  calls: 0,
                  onDrain: undefined
                }
                return { data, ...(chosen === undefined ? {} : { subprotocol: chosen }) }
              }),
        subprotocols: [subprotocol],
        maxPayloadLength: settings.maxMessageBytes,
        // What is a session's own never meets this limit, because `Session.send` closes the session before; messages of
        // topics, which nobody has to get, pass over a socket that is beyond it.
        maxBackpressure: settings.maxBufferedBytes,
        closeOnBackpressureLimit: false,
        idleTimeoutSeconds: settings.idleTimeoutSeconds,
        sendPingsAutomatically: true,
        open: (socket) => {
          const session = socket.data
          session.socket = socket
          sessions.add(session)
          presence.came(session)
          fork(rememberProfile(session.identity))
        },
        message: onMessage,
        drain: (socket) => socket.data.onDrain?.(),
        close: (socket) => {
          const session = socket.data
          session.socket = undefined
          session.onDrain?.()
          sessions.remove(session)
          presence.left(session)
          endSubscription(session)
          Queue.offerUnsafe(disconnects, session.clientId)
        }
      })

      sessions.onReattach((session) => {
        const subscription = session.subscription
        if (subscription === undefined) return
        Session.suspend(subscription)
        subscription.fiber?.interruptUnsafe()
        subscription.fiber = fork(subscriber.again(session, subscription))
      })
      sessions.onStray((key, sessionId) => fork(Effect.ignore(mailboxes.detach(key, sessionId))))

      yield* Evictions.make(sessions, yield* Standing)

      const closeAll = Effect.sync(() => {
        for (const session of Array.from(sessions.all())) Session.close(session, CloseReason.shutdown)
      })
      yield* Effect.addFinalizer(() => closeAll)

      const drain = Effect.gen(function* () {
        draining = true
        const leaving = Array.from(sessions.all())
        const step = Duration.toMillis(settings.drainOver) / Math.max(1, leaving.length)
        let rest = 0
        for (const session of step > 0 ? leaving : []) {
          rest += (yield* Random.next) * 2 * step
          // Timers are no finer than a few milliseconds; many sockets share one.
          if (rest >= minPause) {
            yield* Effect.sleep(rest)
            rest = 0
          }
          Session.close(session, CloseReason.shutdown)
        }
        yield* closeAll
        // A process that ends resets connections that have unread bytes, and a reset overtakes the close frame.
        if (leaving.length > 0) yield* Effect.sleep(linger)
      })

      return {
        id: sessions.gatewayId,
        calls: (handler) => {
          handleCall = handler
        },
        disconnects,
        respond: (clientId, response) => {
          const session = sessions.byClientId(clientId)
          if (session === undefined) return
          if (response._tag === "Exit") session.calls -= 1
          respond(session, response)
        },
        refresh: (clientId, identity) => {
          const session = sessions.byClientId(clientId)
          if (session !== undefined) session.identity = identity
        },
        drain
      }
    })
  )
}
