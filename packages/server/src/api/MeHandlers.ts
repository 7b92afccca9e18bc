/**
 * `/api/v1/users/me/*`.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { NotFound } from "@beckon/domain/Problem"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { Inbox, storeToProblem } from "../inbox/Inbox.ts"
import * as Devices from "./Devices.ts"
import * as PreferenceVersions from "./PreferenceVersions.ts"

const currentKey = Effect.map(CurrentIdentity, ({ tenantId, userId }): MailboxKey => ({ tenantId, userId }))

const asData = <A>(data: A) => ({ data })

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "me",
  Effect.fn(function* (handlers) {
    const inbox = yield* Inbox
    const preferences = yield* PreferenceStore
    const devices = yield* DeviceStore
    return handlers.handleAll({
      list: ({ query: { type, ...query } }) =>
        Effect.gen(function* () {
          const page = yield* inbox.list(yield* currentKey, { ...query, types: type })
          return {
            data: page.items,
            meta: { limit: page.limit, nextCursor: page.nextCursor, unread: page.unread }
          }
        }),
      get: ({ params }) => Effect.flatMap(currentKey, (key) => Effect.map(inbox.get(key, params.id), asData)),
      unreadCount: () =>
        Effect.flatMap(currentKey, (key) => Effect.map(inbox.unreadCount(key), (unread) => ({ data: { unread } }))),
      markRead: ({ payload }) => Effect.flatMap(currentKey, (key) => Effect.map(inbox.markRead(key, payload), asData)),
      markUnread: ({ payload }) =>
        Effect.flatMap(currentKey, (key) => Effect.map(inbox.markUnread(key, payload.ids), asData)),
      remove: ({ payload }) => Effect.flatMap(currentKey, (key) => Effect.map(inbox.remove(key, payload.ids), asData)),
      preferences: () => Effect.flatMap(currentKey, (key) => PreferenceVersions.read(preferences, key)),
      setPreferences: ({ payload }) =>
        Effect.flatMap(currentKey, (key) => PreferenceVersions.write(preferences, key, payload)),
      registerDevice: ({ payload }) =>
        Effect.flatMap(currentKey, (key) => Effect.catch(devices.register(key, payload), storeToProblem)),
      devices: () => Effect.flatMap(currentKey, (key) => Effect.map(Devices.viewsOf(devices, key), asData)),
      removeDevice: ({ payload }) =>
        Effect.gen(function* () {
          const known = yield* Effect.catch(devices.unregister(yield* currentKey, payload.token), storeToProblem)
          if (!known) return yield* new NotFound({ detail: "token: no device of yours has this token" })
        })
    })
  })
)
