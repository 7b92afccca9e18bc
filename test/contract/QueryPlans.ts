/**
 * Every statement that the stores make finds its rows by an index: as planned for its parameters, and as the generic plan
 * that a prepared statement keeps.
 *
 * **Gotchas**
 *
 * A small table is rightly read as a whole: only plans for tables of a real size tell something.
 */
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TenantId } from "@beckon/domain/Identifiers"
import { FriendshipId } from "@beckon/domain/Friendship"
import { hoursAfterNoon, noon, notification, notificationId, user } from "./Fixtures.ts"
import { seedDirectories, useDirectories } from "./QueryPlansDirectories.ts"
import { seedIdentities, useIdentities } from "./QueryPlansIdentities.ts"
import { customPlan, genericPlan, indexesOfCall, plansOf, record, scans } from "./PlannedStatements.ts"
import type { layerPglite } from "./SqlStores.ts"

export interface Size {
  readonly notifications: number
  readonly users: number
  /** More notifications, of the one user whose mailbox is asked for. */
  readonly ofOne: number
  /** Of every other table, at least. */
  readonly others: number
}

const tenantId = TenantId.make("planned")
const keys = Array.from({ length: 500 }, (_, index) => ({ tenantId, userId: user(`user-${index * 7}`) }))
const key = keys[3] ?? { tenantId, userId: user("user-21") }

/** Half of the notifications are read. */
const seed = Effect.fnUntraced(function* ({ notifications, ofOne, others, users }: Size) {
  const sql = yield* SqlClient
  yield* asOwner(sql`truncate mailboxes, notifications`)
  yield* sql`
    insert into mailboxes (tenant_id, user_id, epoch) select ${tenantId}, 'user-' || n, 'epoch' from generate_series(0, ${users - 1}) n`
  yield* sql`
    insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, push, dedupe_key, created_at, read_at, rev)
    select ${tenantId}, 'user-' || n % ${users}, n / ${users} + 1, 'seeded-' || n, 'type-' || n % 3, 'Title', 'Message', 'medium',
      'fallback', case when n % 2 = 0 then 'key-' || n end, '2026-03-01'::timestamptz + n * interval '1 second',
      case when n % 2 = 0 then now() end, n % 2
    from generate_series(0, ${notifications - 1}) n`
  yield* sql`
    insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, push, created_at, read_at)
    select ${tenantId}, ${key.userId}, 10000 + n, 'of-one-' || n, 'type-' || n % 3, 'Title', 'Message', 'medium',
      'fallback', '2026-03-01'::timestamptz + n * interval '1 second', case when n % 2 = 0 then now() end
    from generate_series(1, ${ofOne}) n`
  yield* sql`
    insert into friendships (tenant_id, id, requester_id, recipient_id, status, created_at)
    select ${tenantId}, 'friendship-' || n, 'user-' || n % ${users}, 'friend-' || n, 'PENDING', now() from generate_series(1, ${others}) n`
  yield* sql`
    insert into event_outbox (topic, key, headers, value, created_at)
    select 'topic', 'key', '{}', '{}', now() from generate_series(1, ${others}) n`
  yield* sql`
    insert into devices (tenant_id, user_id, platform, token_hash, token_sealed, key_id, registered_at)
    select ${tenantId}, 'user-' || n % ${users}, 'ios', sha256(n::text::bytea), ''::bytea, 'other', now() from generate_series(1, ${others}) n`
  yield* sql`
    insert into preferences select ${tenantId}, 'user-' || n, '{}', now() from generate_series(1, ${others}) n`
  yield* sql`
    insert into users select ${tenantId}, 'user-' || n, 'Name', null, null, now() from generate_series(1, ${others}) n`
  yield* sql`
    insert into dead_letters (topic, tenant_id, letter, created_at)
    select 'topic', ${tenantId} || n % 20, '{"topic":"topic","key":"","headers":{},"value":"","reason":""}', now() from generate_series(1, ${others}) n`
  yield* seedDirectories(tenantId, others)
  yield* seedIdentities(tenantId, others)
  yield* asOwner(sql`analyze`)
})

/** Calls everything that every store can do. */
const useNotifications = Effect.gen(function* () {
  const store = yield* NotificationStore
  const ids = Array.from({ length: 500 }, (_, index) => notificationId(`seeded-${index}`))
  yield* store.load(keys)
  yield* store.load([{ tenantId, userId: user("new") }])
  yield* store.append(keys.map((each) => notification(each, 1_000, { dedupeKey: "new" })))
  yield* store.findDuplicates(
    keys.map((each) => ({ ...each, dedupeKey: "key-42" })),
    noon
  )
  yield* store.after(key, 3, 9, 100)
  yield* store.changedAfter(key, 0, 9, 100)
  yield* store.recentUnread(key, noon, 50)
  yield* store.unreadCount(key)
  yield* store.get(key, notificationId("seeded-21"))
  yield* store.find(tenantId, notificationId("seeded-21"))
  yield* store.list(key, { status: "all", limit: 20 })
  yield* store.list(key, { status: "unread", limit: 20, beforeSeq: 9 })
  yield* store.list(key, {
    status: "read",
    types: ["type-1"],
    priority: "medium",
    since: noon,
    until: hoursAfterNoon(9),
    beforeSeq: 9,
    limit: 20
  })
  yield* store.setRead(key, ids, true, noon)
  yield* store.setRead(key, ids, false, noon)
  yield* store.setAllRead(key, 5, noon)
  yield* store.remove(key, ids, noon)
  yield* store.saveAcknowledged(keys.map((each) => ({ ...each, seq: 5 })))
})

const useOthers = Effect.gen(function* () {
  const friendships = yield* FriendshipStore
  const outbox = yield* EventOutbox
  const devices = yield* DeviceStore
  const preferences = yield* PreferenceStore
  const directory = yield* UserDirectory
  const letters = yield* DeadLetters
  const id = FriendshipId.make("new")
  const [requesterId, recipientId] = [user("user-1"), user("user-2")]
  const friendship = {
    tenantId,
    id,
    requesterId,
    recipientId,
    status: "PENDING",
    createdAt: noon,
    respondedAt: null
  } as const
  const event = { topic: "topic", key: "key", headers: {}, value: "{}" }
  yield* friendships.insert(friendship, [event])
  yield* friendships.update({ ...friendship, status: "ACCEPTED", respondedAt: noon }, [event])
  yield* friendships.get(tenantId, id)
  yield* friendships.between(tenantId, requesterId, recipientId)
  yield* friendships.list(tenantId, { userId: requesterId, limit: 20 })
  yield* friendships.list(tenantId, { userId: requesterId, status: "PENDING", before: 1_000_000, limit: 20 })
  yield* outbox.remove((yield* outbox.peek(100)).map((entry) => entry.id))
  const owner = { tenantId, userId: user("owner") }
  yield* devices.register(owner, { platform: "ios", token: "token" })
  yield* devices.list(owner)
  yield* devices.unregister(owner, "token")
  yield* preferences.set(key, { channels: {}, mutedTypes: [] })
  yield* preferences.get(key)
  yield* directory.remember(tenantId, { userId: key.userId, name: null, email: null, image: null })
  yield* directory.lookup(
    tenantId,
    keys.map(({ userId }) => userId)
  )
  yield* letters.add(event, "reason")
  yield* letters.list({ limit: 20 })
  yield* letters.list({ tenantId, limit: 20 })
})

/** The tests, on a database whose notifications are `size.notifications`; seeding them may take `milliseconds`. */
export const queryPlans = <E>(
  name: string,
  stores: Layer.Layer<Layer.Success<typeof layerPglite>, E>,
  size: Size,
  milliseconds: number
): void =>
  layer(stores, { timeout: "60 seconds" })(`query plans, ${name}`, (it) => {
    it.effect(
      "no statement of any store reads a whole table, with or without statistics",
      () =>
        Effect.gen(function* () {
          const whenEmpty = yield* record(useNotifications)
          for (const statement of whenEmpty) {
            expect({ statement: statement[0], scans: scans(yield* genericPlan(statement)) }).toMatchObject({
              scans: []
            })
          }
          yield* seed(size)
          const { rows } = (yield* (yield* SqlClient)<{ readonly rows: number }>`
          select count(*)::int as rows from notifications`)[0] ?? { rows: 0 }
          expect(rows).toBe(size.notifications + size.ofOne)
          const statements = [
            ...(yield* record(useNotifications)),
            ...(yield* record(useOthers)),
            ...(yield* record(useDirectories(key))),
            ...(yield* record(useIdentities(key)))
          ]
          // One for each method and each form of it: a statement that no call reaches would go unplanned.
          expect(statements).toHaveLength(97)
          for (const statement of statements) {
            // The rotation of keys goes through whole tables by its nature, page by page; and so does the count of what is left.
            if (/group by key_id|key_id <> /.test(statement[0])) continue
            for (const plan of plansOf(statement, tenantId)) {
              expect({ statement: statement[0], scans: scans(yield* plan) }).toMatchObject({ scans: [] })
            }
          }
          // The reader of plans itself: it sees a scan where there is one.
          expect(scans(yield* customPlan(["select * from notifications where title = $1", ["Title"]]))).toEqual([
            "notifications"
          ])
        }),
      milliseconds
    )

    it.effect("the frequent queries use the index that was made for them", () =>
      Effect.gen(function* () {
        const store = yield* NotificationStore
        const indexOf = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.gen(function* () {
            const [statement] = yield* record(Effect.asVoid(effect))
            if (statement === undefined) return []
            const nodes = yield* genericPlan(statement)
            return nodes.flatMap((node) => (node["Index Name"] === undefined ? [] : [node["Index Name"]]))
          })
        expect(yield* indexOf(store.unreadCount(key))).toEqual(["notifications_unread"])
        expect(yield* indexOf(store.recentUnread(key, noon, 50))).toEqual(["notifications_unread"])
        expect(yield* indexOf(store.after(key, 0, 9, 9))).toEqual(["notifications_pkey"])
        expect(yield* indexOf(store.changedAfter(key, 0, 9, 9))).toEqual(["notifications_changed"])
        expect(yield* indexOf(store.findDuplicates([{ ...key, dedupeKey: "key-1" }], noon))).toEqual([
          "notifications_dedupe"
        ])
        expect((yield* indexOf(store.load([key]))).toSorted()).toEqual([
          "mailboxes_pkey",
          "notifications_pkey",
          "notifications_unread"
        ])
      })
    )

    it.effect("a page of the users of a role is planned for that role, each time", () =>
      Effect.gen(function* () {
        const directory = yield* UserDirectory
        const sql = yield* SqlClient
        const list = (role: string) => directory.list(TenantId.make("planned0"), { role, limit: 100 })
        const indexesFor = Effect.fnUntraced(function* (role: string) {
          const [indexes] = yield* indexesOfCall(TenantId.make("planned0"), list(role))
          return indexes?.map(({ index }) => index)
        })
        expect(yield* indexesFor("driver")).toEqual(["users_roles"])
        expect(yield* indexesFor("customer")).toEqual(["users_pkey"])
        // A statement that stays prepared is planned once for all roles.
        const kept = yield* sql.withTransaction(
          Effect.andThen(
            list("driver"),
            sql`select statement from pg_prepared_statements where statement like ${"%roles @>%"}`
          )
        )
        expect(kept).toEqual([])
      })
    )
  })
