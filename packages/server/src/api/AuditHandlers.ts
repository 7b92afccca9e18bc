/**
 * `/api/v1/admin/audit`.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import * as Cursor from "../inbox/Cursor.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

const defaultLimit = 20

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "audit",
  Effect.fn(function* (handlers) {
    const log = yield* AuditLog
    return handlers.handleAll({
      list: ({ query: { action, actor, cursor, limit = defaultLimit, since, target, until } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const beforeId = cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toId(cursor))
          const rows = yield* Effect.catch(
            log.list(tenantId, {
              limit: limit + 1,
              ...(action === undefined ? {} : { action }),
              ...(actor === undefined ? {} : { actorId: actor }),
              ...(target === undefined ? {} : { target }),
              ...(since === undefined ? {} : { since }),
              ...(until === undefined ? {} : { until }),
              ...(beforeId === undefined ? {} : { beforeId })
            }),
            storeToProblem
          )
          return Cursor.pageOf(rows, limit, ({ id }) => Cursor.ofId(id))
        })
    })
  })
)
