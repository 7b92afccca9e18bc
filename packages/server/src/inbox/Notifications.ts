/**
 * Notifications on behalf of a tenant: sent now or at a time, asked for, cancelled.
 *
 * **Details**
 *
 * A request for a time to come gets the id that its notification will have, and waits in the schedule. The tenant is the
 * caller's; ids of others are not found.
 */
import { Context, DateTime, Duration, Effect, Layer, Option } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import type { Content, NotificationRequest } from "@beckon/domain/api/NotificationRequest"
import type { NotificationStatus } from "@beckon/domain/api/NotificationApi"
import * as CallOrigin from "@beckon/domain/CallOrigin"
import { NotificationId } from "@beckon/domain/Identifiers"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Draft } from "@beckon/domain/Notification"
import { NotFound, Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import { Nudges } from "../delivery/Nudges.ts"
import { Mailboxes } from "../mailbox/Mailboxes.ts"
import * as Drafts from "./Drafts.ts"
import { storeToProblem } from "./Inbox.ts"
import * as Status from "./Status.ts"
import { Wording } from "./Wording.ts"

export interface Sent {
  readonly id: NotificationId
  readonly userId: UserId
  readonly status: "accepted" | "scheduled"
  readonly duplicate: boolean
}

/** What one call sends: the same content to each of these users, who are all different. */
export interface Sending {
  readonly tenantId: TenantId
  readonly content: Content & Pick<NotificationRequest, "to">
  readonly userIds: ReadonlyArray<UserId>
  readonly dedupeKey: string | undefined
  readonly correlationId: string | undefined
}

export interface Cancelled {
  readonly scheduled: number
  readonly deliveries: number
}

/** As long as mailboxes know the keys. */
const dedupeWindow = Duration.hours(24)

const unknown = new NotFound({ detail: "id: no notification of your tenant has this id" })

export class Notifications extends Context.Service<
  Notifications,
  {
    /** Answers in the order of the users, when all are saved. */
    readonly send: (sending: Sending) => Effect.Effect<ReadonlyArray<Sent>, Unprocessable | Unavailable>
    readonly status: (
      tenantId: TenantId,
      id: NotificationId
    ) => Effect.Effect<NotificationStatus, NotFound | Unavailable>
    readonly cancel: (tenantId: TenantId, id: NotificationId) => Effect.Effect<Cancelled, NotFound | Unavailable>
    readonly cancelAll: (tenantId: TenantId, cancelKey: string) => Effect.Effect<Cancelled, Unavailable>
  }
>()("@beckon/server/inbox/Notifications") {
  static readonly layer = Layer.effect(
    Notifications,
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const store = yield* NotificationStore
      const schedule = yield* ScheduleStore
      const deliveries = yield* DeliveryStore
      const wording = yield* Wording
      const nudges = yield* Nudges

      const sendNow = Effect.fnUntraced(function* (drafts: ReadonlyArray<Draft>) {
        const accepted = yield* mailboxes.deliver(drafts)
        return accepted.flatMap(({ duplicate, notificationId }, index): ReadonlyArray<Sent> => {
          const userId = drafts[index]?.userId
          return userId === undefined ? [] : [{ id: notificationId, userId, status: "accepted", duplicate }]
        })
      })

      /** A key that has made a notification already makes no second one, whenever it is sent. */
      const sendLater = Effect.fnUntraced(function* (
        drafts: ReadonlyArray<Draft>,
        sendAt: DateTime.Utc,
        now: DateTime.Utc
      ) {
        const keyed = drafts.flatMap(({ dedupeKey, tenantId, userId }) =>
          dedupeKey === undefined ? [] : [{ tenantId, userId, dedupeKey }]
        )
        const made = yield* store.findDuplicates(keyed, DateTime.subtractDuration(now, dedupeWindow))
        const known = new Map(made.map(({ notificationId, userId }) => [userId, notificationId]))
        const entries = drafts
          .filter(({ userId }) => !known.has(userId))
          .map((draft) => {
            const id = NotificationId.make(uuidV7Unsafe())
            return {
              id,
              draft: { ...draft, id, dedupeKey: draft.dedupeKey ?? `scheduled:${id}` },
              sendAt,
              createdAt: now
            }
          })
        const kept = yield* schedule.add(entries)
        nudges.schedule.now()
        const waiting = new Map(
          entries.map(({ draft, id }, index) => [draft.userId, { id: kept[index] ?? id, promised: id }])
        )
        return drafts.flatMap(({ userId }): ReadonlyArray<Sent> => {
          const earlier = known.get(userId)
          if (earlier !== undefined) return [{ id: earlier, userId, status: "accepted", duplicate: true }]
          const entry = waiting.get(userId)
          if (entry === undefined) return []
          return [{ id: entry.id, userId, status: "scheduled", duplicate: entry.id !== entry.promised }]
        })
      }, Effect.catch(storeToProblem))

      const send = Effect.fn("Notifications.send")(function* (sending: Sending) {
        const { content, tenantId, userIds } = sending
        const now = yield* DateTime.now
        const fault = Drafts.faultOf(content, now)
        if (fault !== undefined) return yield* new Unprocessable({ detail: fault })
        const wordsOf = yield* wording.of(tenantId, content, userIds)
        const made = userIds.map((userId) => Drafts.draftOf({ ...sending, userId, words: wordsOf(userId) }))
        // Those of later leave without their call.
        const drafts = CallOrigin.correlated(made, yield* CallOrigin.CallOrigin)
        return content.sendAt !== undefined && DateTime.isGreaterThan(content.sendAt, now)
          ? yield* sendLater(drafts, content.sendAt, now)
          : yield* sendNow(drafts)
      })

      const status = Effect.fn("Notifications.status")(
        function* (tenantId: TenantId, id: NotificationId) {
          const found = yield* store.find(tenantId, id)
          if (Option.isSome(found)) {
            return Status.ofFound(found.value, yield* deliveries.ofNotification(tenantId, id))
          }
          const waiting = yield* schedule.get(tenantId, id)
          return waiting === undefined ? yield* unknown : Status.ofScheduled(waiting)
        },
        Effect.catchTag("StoreUnavailable", storeToProblem)
      )

      const cancelTargets = Effect.fnUntraced(function* (
        tenantId: TenantId,
        scheduled: Parameters<(typeof schedule)["cancel"]>[1],
        delivered: Parameters<(typeof deliveries)["cancel"]>[1]
      ) {
        const now = yield* DateTime.now
        return {
          scheduled: yield* schedule.cancel(tenantId, scheduled, now),
          deliveries: yield* deliveries.cancel(tenantId, delivered, now)
        }
      })

      const cancel = Effect.fn("Notifications.cancel")(
        function* (tenantId: TenantId, id: NotificationId) {
          const cancelled = yield* cancelTargets(tenantId, { id }, { notificationId: id })
          if (cancelled.scheduled + cancelled.deliveries > 0) return cancelled
          const isKnown =
            Option.isSome(yield* store.find(tenantId, id)) || (yield* schedule.get(tenantId, id)) !== undefined
          return isKnown ? cancelled : yield* unknown
        },
        Effect.catchTag("StoreUnavailable", storeToProblem)
      )

      return {
        send,
        status,
        cancel,
        cancelAll: Effect.fn("Notifications.cancelAll")(
          (tenantId, cancelKey) => cancelTargets(tenantId, { cancelKey }, { cancelKey }),
          Effect.catch(storeToProblem)
        )
      }
    })
  )
}
