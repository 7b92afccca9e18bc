/**
 * One notification for many: the users that are named, those of a role, or everyone of the tenant.
 *
 * **Details**
 *
 * The directory is read page by page, and each page sent before the next is read. Every user's notification has the dedupe key
 * of the request, so that a call that broke off is repeated as it was and reaches nobody twice. Each page counts as so many calls of
 * the sender, before it is sent.
 */
import { Context, Effect, Layer } from "effect"
import { maxUsers } from "@beckon/domain/api/NotificationRequest"
import type { Audience, BroadcastRequest } from "@beckon/domain/api/NotificationRequest"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { TooManyRequests, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { chargeMore } from "../http/CurrentCall.ts"
import * as Cursor from "./Cursor.ts"
import { storeToProblem } from "./Inbox.ts"
import { Notifications } from "./Notifications.ts"

/** Pages of one call: more would take longer than callers wait. */
const maxPages = 20

export interface Reached {
  readonly accepted: number
  readonly duplicates: number
  /** Where the next call goes on; `null` when all are reached. */
  readonly nextCursor: string | null
}

interface Page {
  readonly userIds: ReadonlyArray<UserId>
  readonly next: UserId | undefined
}

export class Audiences extends Context.Service<
  Audiences,
  {
    /** When it fails, some may have got it: repeat it with the same `requestId`. */
    readonly broadcast: (
      tenantId: TenantId,
      request: BroadcastRequest,
      correlationId: string | undefined
    ) => Effect.Effect<Reached, TooManyRequests | Unprocessable | Unavailable>
  }
>()("@beckon/server/inbox/Audiences") {
  static readonly layer = Layer.effect(
    Audiences,
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const notifications = yield* Notifications

      const pageAfter = (
        tenantId: TenantId,
        audience: Audience,
        after: UserId | undefined
      ): Effect.Effect<Page, Unavailable> =>
        "userIds" in audience
          ? Effect.succeed({ userIds: [...new Set(audience.userIds)], next: undefined })
          : directory
              .list(tenantId, {
                limit: maxUsers,
                ...("role" in audience ? { role: audience.role } : {}),
                ...(after === undefined ? {} : { afterUserId: after })
              })
              .pipe(
                Effect.map((users) => ({
                  userIds: users.map(({ userId }) => userId),
                  next: users.length < maxUsers ? undefined : users.at(-1)?.userId
                })),
                Effect.catch(storeToProblem)
              )

      return {
        broadcast: Effect.fn("Audiences.broadcast")(function* (tenantId, request, correlationId) {
          const { audience, cursor, requestId, ...content } = request
          let after = cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toUser(cursor))
          let accepted = 0
          let duplicates = 0
          for (let page = 0; page < maxPages; page++) {
            const { next, userIds } = yield* pageAfter(tenantId, audience, after)
            // The call itself is counted already.
            yield* chargeMore(page === 0 ? userIds.length - 1 : userIds.length)
            const dedupeKey = `broadcast:${requestId}`
            const sent = yield* notifications.send({ tenantId, content, userIds, dedupeKey, correlationId })
            const repeated = sent.filter(({ duplicate }) => duplicate).length
            duplicates += repeated
            accepted += sent.length - repeated
            if (next === undefined) return { accepted, duplicates, nextCursor: null }
            after = next
          }
          return { accepted, duplicates, nextCursor: after === undefined ? null : Cursor.ofUser(after) }
        })
      }
    })
  )
}
