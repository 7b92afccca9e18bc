/**
 * `/api/v1/admin/notifications`.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { NotificationId } from "@beckon/domain/Identifiers"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import * as Cursor from "../inbox/Cursor.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "admin",
  Effect.fn(function* (handlers) {
    const store = yield* NotificationStore
    return handlers.handleAll({
      notifications: ({ query: { cursor, limit = 20, status = "all", user_id: userId, ...filter } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const beforeId =
            cursor === undefined ? {} : { beforeId: NotificationId.make(yield* Effect.fromResult(Cursor.toId(cursor))) }
          const found = yield* Effect.catch(
            store.listAll(tenantId, {
              ...filter,
              ...beforeId,
              ...(userId === undefined ? {} : { userId }),
              status,
              limit: limit + 1
            }),
            storeToProblem
          )
          const rows = found.map(({ acknowledged, deleted, notification }) => ({
            ...notification,
            acknowledged,
            deleted
          }))
          return Cursor.pageOf(rows, limit, ({ id }) => Cursor.ofId(id))
        })
    })
  })
)
