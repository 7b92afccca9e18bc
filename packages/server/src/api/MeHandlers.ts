/**
 * `/api/v1/users/me/*`.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { Inbox } from "../inbox/Inbox.ts"

const currentKey = Effect.map(CurrentIdentity, ({ tenantId, userId }) => ({ tenantId, userId }))

const asData = <A>(data: A) => ({ data })

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "me",
  Effect.fn(function* (handlers) {
    const inbox = yield* Inbox
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
      remove: ({ payload }) => Effect.flatMap(currentKey, (key) => Effect.map(inbox.remove(key, payload.ids), asData))
    })
  })
)
