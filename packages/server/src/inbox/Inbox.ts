/**
 * A user's own inbox, for every way of asking: the socket's RPCs and the HTTP API stand on this one service.
 */
import { Context, Effect, Layer, Option } from "effect"
import type { DateTime } from "effect"
import type { NotificationId } from "@beckon/domain/Identifiers"
import type { Change, ReadStatus, ReadTarget } from "@beckon/domain/InboxRpcs"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { Priority, StoredNotification } from "@beckon/domain/Notification"
import { NotFound, Unavailable } from "@beckon/domain/Problem"
import type { Unprocessable } from "@beckon/domain/Problem"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { Mailboxes } from "../mailbox/Mailboxes.ts"
import * as Cursor from "./Cursor.ts"

export interface ListQuery {
  readonly status?: ReadStatus | undefined
  readonly types?: ReadonlyArray<string> | undefined
  readonly priority?: Priority | undefined
  readonly since?: DateTime.Utc | undefined
  readonly until?: DateTime.Utc | undefined
  readonly cursor?: string | undefined
  /** 1 to 100; 20 when absent. */
  readonly limit?: number | undefined
}

export interface InboxPage {
  readonly items: ReadonlyArray<StoredNotification>
  readonly nextCursor: string | null
  readonly unread: number
  readonly limit: number
}

/** A store that does not answer is the caller's "try again". */
export const storeToProblem = (error: StoreUnavailable): Effect.Effect<never, Unavailable> =>
  Effect.andThen(
    Effect.logWarning("The store failed", error),
    Effect.fail(new Unavailable({ detail: "The store does not answer; try again." }))
  )

export class Inbox extends Context.Service<
  Inbox,
  {
    readonly list: (key: MailboxKey, query: ListQuery) => Effect.Effect<InboxPage, Unprocessable | Unavailable>
    readonly get: (key: MailboxKey, id: NotificationId) => Effect.Effect<StoredNotification, NotFound | Unavailable>
    readonly unreadCount: (key: MailboxKey) => Effect.Effect<number, Unavailable>
    readonly markRead: (key: MailboxKey, target: ReadTarget) => Effect.Effect<Change, Unavailable>
    readonly markUnread: (key: MailboxKey, ids: ReadonlyArray<NotificationId>) => Effect.Effect<Change, Unavailable>
    readonly remove: (key: MailboxKey, ids: ReadonlyArray<NotificationId>) => Effect.Effect<Change, Unavailable>
  }
>()("@beckon/server/inbox/Inbox") {
  static readonly layer = Layer.effect(
    Inbox,
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const mailboxes = yield* Mailboxes
      const defaultLimit = 20

      const list = Effect.fn("Inbox.list")(function* (key: MailboxKey, query: ListQuery) {
        const limit = query.limit ?? defaultLimit
        const beforeSeq = query.cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toSeq(query.cursor))
        const filter = {
          status: query.status ?? ("all" as const),
          limit: limit + 1,
          ...(query.types === undefined || query.types.length === 0 ? {} : { types: query.types }),
          ...(query.priority === undefined ? {} : { priority: query.priority }),
          ...(query.since === undefined ? {} : { since: query.since }),
          ...(query.until === undefined ? {} : { until: query.until }),
          ...(beforeSeq === undefined ? {} : { beforeSeq })
        }
        const rows = yield* Effect.catch(store.list(key, filter), storeToProblem)
        const unread = yield* Effect.catch(store.unreadCount(key), storeToProblem)
        const items = rows.slice(0, limit)
        const last = items.at(-1)
        return {
          items,
          unread,
          limit,
          nextCursor: rows.length > limit && last !== undefined ? Cursor.ofSeq(last.seq) : null
        }
      })

      const get = Effect.fn("Inbox.get")(function* (key: MailboxKey, id: NotificationId) {
        const found = yield* Effect.catch(store.get(key, id), storeToProblem)
        if (Option.isNone(found)) return yield* new NotFound({ detail: "id: no notification of yours has this id" })
        return found.value
      })

      return {
        list,
        get,
        unreadCount: (key) => Effect.catch(store.unreadCount(key), storeToProblem),
        markRead: (key, target) =>
          mailboxes.changeState(
            key,
            "all" in target ? { _tag: "SetAllRead" } : { _tag: "SetRead", ids: target.ids, read: true }
          ),
        markUnread: (key, ids) => mailboxes.changeState(key, { _tag: "SetRead", ids, read: false }),
        remove: (key, ids) => mailboxes.changeState(key, { _tag: "Remove", ids })
      }
    })
  )
}
