/**
 * `/api/v1/users/*`: the users of a tenant, as its services keep them.
 */
import { DateTime, Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import { Conflict, NotFound, Unprocessable } from "@beckon/domain/Problem"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { Audit } from "../audit/Audit.ts"
import * as Cursor from "../inbox/Cursor.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Recipients } from "../users/Recipients.ts"
import * as Devices from "./Devices.ts"
import * as PreferenceVersions from "./PreferenceVersions.ts"

const defaultLimit = 20

const unknown = new NotFound({ detail: "id: no user of your tenant has this id" })

const asData = <A>(data: A) => ({ data })

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "users",
  Effect.fn(function* (handlers) {
    const directory = yield* UserDirectory
    const preferences = yield* PreferenceStore
    const devices = yield* DeviceStore
    const recipients = yield* Recipients
    const audit = yield* Audit

    const keyOf = (userId: UserId) => Effect.map(CurrentIdentity, ({ tenantId }) => ({ tenantId, userId }))

    /** What of it was set, and not what it says: that is the user's, and is erased with him. */
    const note = (action: string, userId: UserId, said: object) =>
      audit.record({ action, target: `user/${userId}`, after: { fields: Object.keys(said).toSorted() } })

    /** What is written here would be read by nobody. */
    const notExternal = Effect.fnUntraced(function* (tenantId: TenantId) {
      const source = yield* Effect.catch(recipients.externalOf(tenantId), storeToProblem)
      if (Option.isNone(source)) return
      return yield* new Conflict({ detail: "settings.recipients: the tenant's users are those of its own service" })
    })

    return handlers.handleAll({
      create: ({ payload: { userId, ...user } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          // `/users/me` is the caller himself.
          if (userId === "me") return yield* new Unprocessable({ detail: "user_id: me stands for the caller" })
          yield* notExternal(tenantId)
          const now = yield* DateTime.now
          const made = yield* Effect.catch(directory.create(tenantId, userId, user, now), storeToProblem)
          if (Option.isNone(made)) return yield* new Conflict({ detail: "user_id: a user of this id is there already" })
          yield* note("user.create", userId, user)
          return { data: made.value }
        }),
      list: ({ query }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const limit = query.limit ?? defaultLimit
          const after = query.cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toUser(query.cursor))
          const users = yield* Effect.catch(
            directory.list(tenantId, {
              limit: limit + 1,
              ...(query.role === undefined ? {} : { role: query.role }),
              ...(after === undefined ? {} : { afterUserId: after })
            }),
            storeToProblem
          )
          return Cursor.pageOf(users, limit, ({ userId }) => Cursor.ofUser(userId))
        }),
      get: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const [user] = yield* Effect.catch(directory.find(tenantId, [params.id]), storeToProblem)
          return user === undefined ? yield* unknown : { data: user }
        }),
      update: ({ params, payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          yield* notExternal(tenantId)
          const now = yield* DateTime.now
          const changed = yield* Effect.catch(directory.update(tenantId, params.id, payload, now), storeToProblem)
          if (Option.isNone(changed)) return yield* unknown
          yield* note("user.update", params.id, payload)
          return { data: changed.value }
        }),
      remove: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const known = yield* Effect.catch(directory.remove(tenantId, params.id), storeToProblem)
          if (!known) return yield* unknown
          yield* audit.record({ action: "user.remove", target: `user/${params.id}` })
        }),
      preferences: ({ params }) => Effect.flatMap(keyOf(params.id), (key) => PreferenceVersions.read(preferences, key)),
      setPreferences: ({ params, payload }) =>
        Effect.gen(function* () {
          const written = yield* PreferenceVersions.write(preferences, yield* keyOf(params.id), payload)
          yield* note("user.set_preferences", params.id, payload)
          return written
        }),
      devices: ({ params }) =>
        Effect.flatMap(keyOf(params.id), (key) => Effect.map(Devices.viewsOf(devices, key), asData))
    })
  })
)
