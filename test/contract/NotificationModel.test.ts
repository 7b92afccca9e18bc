/**
 * Any sequence of operations leaves the store in memory and the store in SQL with the same answers.
 */
import type { NotificationId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { StoredNotification } from "@beckon/domain/Notification"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { freshTenant, hoursAfterNoon, noon, notification, notificationId, user } from "./Fixtures.ts"
import { layerPglite } from "./SqlStores.ts"

const small = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const picks = Schema.Array(small(9)).check(Schema.isMaxLength(5))

/** `user`: which of two mailboxes. `gap`: how much a `seq` skips or, below 0, falls back into numbers that are taken. */
const Operation = Schema.Union([
  Schema.TaggedStruct("Append", {
    user: small(1),
    hour: small(4),
    rows: Schema.Array(
      Schema.Struct({ gap: Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: 2 })), kind: small(3) })
    ).check(Schema.isMinLength(1), Schema.isMaxLength(4))
  }),
  Schema.TaggedStruct("SetRead", { user: small(1), hour: small(4), picks, read: Schema.Boolean }),
  Schema.TaggedStruct("SetAllRead", { user: small(1), hour: small(4), upto: small(12) }),
  Schema.TaggedStruct("Remove", { user: small(1), hour: small(4), picks }),
  Schema.TaggedStruct("Acknowledge", { user: small(1), seq: small(12) })
])
type Operation = typeof Operation.Type
type Store = NotificationStore["Service"]

/** Fails only as a value, so that failures are compared too. */
const outcome = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.match(effect, { onFailure: (error) => ({ failed: error._tag }), onSuccess: (value) => ({ value }) })

const rowsOf = (operation: Operation, key: MailboxKey, head: number): ReadonlyArray<StoredNotification> => {
  if (operation._tag !== "Append") return []
  let seq = head
  return operation.rows.map(({ gap, kind }) => {
    seq = Math.max(1, seq + gap)
    return notification(key, seq, {
      type: `type-${kind}`,
      priority: kind === 0 ? "high" : "low",
      dedupeKey: kind === 3 ? null : `key-${kind}`,
      createdAt: hoursAfterNoon(operation.hour),
      ...(kind === 1 ? { data: { kind } } : {}),
      ...(kind === 2 ? { options: { channels: ["email"] as const }, hidden: true, planAt: noon } : {})
    })
  })
}

const apply = (
  store: Store,
  operation: Operation,
  key: MailboxKey,
  rows: ReadonlyArray<StoredNotification>,
  ids: ReadonlyArray<NotificationId>
) => {
  const picked = (indexes: ReadonlyArray<number>) => indexes.map((index) => ids[index] ?? notificationId("unknown"))
  switch (operation._tag) {
    case "Append":
      return outcome<unknown, { readonly _tag: string }>(store.append(rows))
    case "SetRead":
      return outcome<unknown, { readonly _tag: string }>(
        store.setRead(key, picked(operation.picks), operation.read, hoursAfterNoon(operation.hour))
      )
    case "SetAllRead":
      return outcome<unknown, { readonly _tag: string }>(
        store.setAllRead(key, operation.upto, hoursAfterNoon(operation.hour))
      )
    case "Remove":
      return outcome<unknown, { readonly _tag: string }>(
        store.remove(key, picked(operation.picks), hoursAfterNoon(operation.hour))
      )
    case "Acknowledge":
      return outcome<unknown, { readonly _tag: string }>(store.saveAcknowledged([{ ...key, seq: operation.seq }]))
  }
}

const observe = Effect.fnUntraced(function* (store: Store, key: MailboxKey) {
  const keys = ["key-0", "key-1", "key-2", "absent"].map((dedupeKey) => ({ ...key, dedupeKey }))
  return {
    states: (yield* store.load([key])).map((state) => ({ ...state, epoch: "" })),
    duplicates: yield* store.findDuplicates(keys, hoursAfterNoon(2)),
    after: yield* store.after(key, 2, 9, 4),
    changed: yield* store.changedAfter(key, 1, 9, 5),
    recent: yield* store.recentUnread(key, hoursAfterNoon(1), 3),
    listed: yield* store.list(key, { status: "all", limit: 100 }),
    filtered: yield* store.list(key, {
      status: "read",
      types: ["type-0", "type-1"],
      since: noon,
      until: hoursAfterNoon(3),
      beforeSeq: 8,
      limit: 3
    }),
    urgent: yield* store.list(key, { status: "unread", priority: "high", limit: 2 }),
    unread: yield* store.unreadCount(key)
  }
})

layer(layerPglite, { timeout: "60 seconds" })("NotificationStore: memory and SQL", (it) => {
  it.effect.prop(
    "agree after every operation",
    { operations: Schema.Array(Operation).check(Schema.isMinLength(3), Schema.isMaxLength(25)) },
    ({ operations }) =>
      Effect.gen(function* () {
        const sql = yield* NotificationStore
        const memory = Context.get(yield* Layer.build(Layer.fresh(MemoryNotificationStore.layer)), NotificationStore)
        const tenantId = freshTenant()
        const keys = [user("ada"), user("bob")].map((userId) => ({ tenantId, userId }))
        const heads = [0, 0]
        const ids: Array<NotificationId> = []
        for (const key of keys) yield* Effect.all([sql.load([key]), memory.load([key])])
        for (const operation of operations) {
          const key = keys[operation.user] ?? { tenantId, userId: user("ada") }
          const rows = rowsOf(operation, key, heads[operation.user] ?? 0)
          const expected = yield* apply(memory, operation, key, rows, ids)
          expect(yield* apply(sql, operation, key, rows, ids)).toEqual(expected)
          if (!("failed" in expected)) {
            for (const row of rows) {
              ids.push(row.id)
              heads[operation.user] = Math.max(heads[operation.user] ?? 0, row.seq)
            }
          }
          for (const each of keys) expect(yield* observe(sql, each)).toEqual(yield* observe(memory, each))
        }
      }),
    { timeout: 60_000, arbitrary: { runs: 30 } }
  )
})
