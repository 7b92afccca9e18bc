/**
 * The statements about deliveries, over tables of a real size: most deliveries are closed, some wait for later, some are due.
 */
import { DeliveryId, deliveryChannels } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { DateTime, Duration, Effect } from "effect"
import type { Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { direct, email, eventOf, minute, push, reportOf, sent, tryOf } from "./DeliveryFixtures.ts"
import { noon, notification, notificationId, user } from "./Fixtures.ts"
import { customPlan, genericPlan, indexesOfCall, plansOf, record, scans } from "./PlannedStatements.ts"
import type { layerPglite } from "./SqlStores.ts"

export interface Size {
  readonly closed: number
  readonly later: number
  readonly due: number
  /** Of every other table. */
  readonly others: number
}

const tenantId = TenantId.make("planned0")
const key = { tenantId, userId: user("user-0") }
const now = DateTime.add(noon, { days: 1 })

const seed = Effect.fnUntraced(function* ({ closed, due, later, others }: Size) {
  const sql = yield* SqlClient
  const total = closed + later + due
  yield* sql`
    insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, push, options, plan_at, created_at)
    select 'planned' || n % 20, 'user-' || n % 5000, n / 5000 + 1, 'seeded-' || n, 'type', 'Title', 'Message', 'medium',
      'fallback', case when n % 100 = 0 then '{"cancelKey":"key-1"}'::jsonb end, case when n % 50 = 0 then now() end, now()
    from generate_series(0, ${others - 1}) n`
  yield* sql`
    insert into mailboxes (tenant_id, user_id, epoch)
    select 'planned' || n % 20, 'user-' || n, 'epoch' from generate_series(0, 4999) n`
  yield* sql`
    insert into preferences select 'planned' || n % 20, 'user-' || n, '{}', now() from generate_series(0, ${others}) n`
  yield* sql`
    insert into users (tenant_id, user_id, updated_at)
    select 'planned' || n % 20, 'user-' || n, now() from generate_series(0, ${others}) n`
  yield* sql`
    insert into webhook_endpoints (tenant_id, id, url, events, created_at)
    select 'planned' || n / 3, 'endpoint-' || n, 'https://a.example', '{delivery.sent,notification.created}', now()
    from generate_series(0, ${others}) n`
  yield* sql`
    insert into provider_accounts
    select 'planned' || n / 3, 'account-' || n, 'log', 'log', 0, true, '{}', null, ''::bytea, 'other', '', now(), 1, now(), now()
    from generate_series(0, ${others}) n`
  yield* sql`insert into routing_policies select 'planned' || n, '{}', 1, now() from generate_series(0, ${others}) n`
  yield* sql`
    insert into deliveries (
      id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at, created_at,
      updated_at, attempts, provider, provider_message_id, cancel_key, digest_key
    )
    select 'seeded-' || n, 'planned' || n % 20, 'user-' || n % 5000, 'seeded-' || n % ${others},
      (n % ${others}) / 5000 + 1, (array['push', 'email', 'sms', 'whatsapp', 'webhook'])[1 + n % 5],
      '{"_tag":"User"}', 'unacknowledged',
      case when n < ${closed} then (array['sent', 'delivered', 'seen', 'skipped', 'dead'])[1 + n / 20 % 5]
        else (array['pending', 'failed', 'sending'])[1 + n % 3] end,
      1 + n % 10, ${noon.epochMilliseconds / 1000}::double precision * interval '1 second' + '1970-01-01'::timestamptz
        + case when n < ${closed + later} then interval '1 year' else n * interval '1 millisecond' end,
      now(), now(), 1, 'fcm', case when n < ${closed} then 'message-' || n end, case when n % 10 = 0 then 'key-' || n end,
      case when n % 100 = 0 then 'user' end
    from generate_series(0, ${total - 1}) n`
  yield* sql`
    insert into delivery_items (tenant_id, notification_id, channel, delivery_id, user_id, seq, cancel_key)
    select 'planned' || n % 20, 'seeded-' || n, 'email', 'seeded-' || n - n % 10, 'user-' || n % 5000, n, 'key-' || n
    from generate_series(0, ${others}) n`
  yield* sql`
    insert into delivery_attempts (delivery_id, attempt, ordinal, provider, outcome, duration_ms, at)
    select 'seeded-' || n, 1, 0, 'fcm', 'sent', 1, now() from generate_series(0, ${others}) n`
  yield* sql`
    insert into delivery_events (provider, event_key, delivery_id, provider_message_id, state, code, at, received_at)
    select 'fcm', 'seeded-' || n, case when n % 100 > 0 then 'seeded-' || n end, 'unknown-' || n, 'seen', 'open', now(), now()
    from generate_series(0, ${others}) n`
  yield* sql`
    insert into delivery_throttles
    select 'planned' || n % 20, 'user-' || n, 'push', now(), now() + interval '1 year', 1 from generate_series(0, ${others}) n`
  yield* sql`
    insert into scheduled_notifications (tenant_id, id, user_id, draft, dedupe_key, cancel_key, send_at, due_at, created_at)
    select 'planned' || n % 20, 'seeded-' || n, 'user', '{}', 'key-' || n, 'key-' || n, now() + n * interval '1 second', now(), now()
    from generate_series(0, ${others}) n`
  yield* asOwner(sql`analyze`)
})

const work = Effect.gen(function* () {
  const store = yield* DeliveryStore
  const notifications = yield* NotificationStore
  const digest = { key: "plans", window: Duration.minutes(1), maxItems: 50 }
  const throttle = { key: "plans", window: Duration.minutes(1), limit: 5 }
  const seqs = [1, 2, 3].map((n) => notification(key, 100_000 + n, { planAt: DateTime.makeUnsafe(0) }))
  yield* notifications.append(seqs)
  yield* store.plan(2, now, (due) => [{ ...push, throttle }, ...(due.seq > 100_000 ? [{ ...email, digest }] : [])])
  yield* store.plan(1, now, () => {
    throw new Error("defect")
  })
  yield* store.add([direct(key)], now)
  const claim = { channels: deliveryChannels, limit: 500, now, lease: minute, worker: "worker" }
  const claims = yield* store.claim(claim)
  yield* store.extend(
    claims.map(({ attempt, delivery }) => ({ id: delivery.id, attempt })),
    now
  )
  yield* store.recordEvents(
    [
      ...claims.map(({ delivery: { id } }) => eventOf({ providerMessageId: `new-${id}`, state: "seen" })),
      eventOf({ deliveryId: DeliveryId.make("seeded-1") })
    ],
    now
  )
  yield* store.report(
    claims.map((one) => reportOf(one, sent(`new-${one.delivery.id}`), [tryOf("fcm")])),
    now
  )
  return claims.length
})

const ask = Effect.gen(function* () {
  const store = yield* DeliveryStore
  const schedule = yield* ScheduleStore
  const id = notificationId("seeded-20")
  yield* store.ofNotification(tenantId, id)
  yield* store.get(tenantId, DeliveryId.make("seeded-20"))
  yield* store.list(tenantId, { limit: 20 })
  yield* store.list(tenantId, {
    states: ["sent"],
    channel: "push",
    userId: key.userId,
    before: DeliveryId.make("seeded-5"),
    limit: 20
  })
  yield* store.list(tenantId, { unresolved: true, limit: 20 })
  yield* store.counts(tenantId)
  yield* store.cancel(tenantId, { cancelKey: "key-1" }, now)
  yield* store.cancel(tenantId, { notificationId: id }, now)
  yield* store.replay(tenantId, { _tag: "All", limit: 20 }, now)
  yield* store.replay(tenantId, { _tag: "All", channel: "push", limit: 20 }, now)
  yield* store.discard(tenantId, { _tag: "Ids", ids: [DeliveryId.make("seeded-80")] }, now)
  const draft = { ...key, type: "type", title: "Title", message: "", priority: "low", dedupeKey: "key" } as const
  yield* schedule.add([{ id: notificationId("new"), draft, sendAt: noon, createdAt: noon }])
  const due = yield* schedule.claim(20, now, minute)
  yield* schedule.remove(due.map((entry) => entry.id))
  yield* schedule.get(tenantId, id)
  yield* schedule.cancel(tenantId, { id }, now)
  yield* schedule.cancel(tenantId, { cancelKey: "key-1" }, now)
})

export const deliveryQueryPlans = <E>(
  name: string,
  stores: Layer.Layer<Layer.Success<typeof layerPglite>, E>,
  size: Size,
  milliseconds: number
): void =>
  layer(stores, { timeout: "60 seconds" })(`query plans, ${name}`, (it) => {
    it.effect(
      "no statement about deliveries reads a whole table",
      () =>
        Effect.gen(function* () {
          yield* seed(size)
          const statements = yield* record(
            Effect.gen(function* () {
              expect(yield* work).toBe(500)
              yield* ask
            })
          )
          // One for each method and each form of it: a statement that no call reaches would go unplanned.
          expect(statements).toHaveLength(46)
          const reading: Array<unknown> = []
          for (const statement of statements) {
            for (const plan of plansOf(statement, tenantId)) {
              const found = scans(yield* plan)
              if (found.length > 0) reading.push({ statement: statement[0], scans: found })
            }
          }
          expect(reading).toEqual([])
        }),
      milliseconds
    )

    it.effect("a claim looks at open deliveries only, by one index, and finds the rest by their keys", () =>
      Effect.gen(function* () {
        const store = yield* DeliveryStore
        const claim = { channels: deliveryChannels, limit: 500, now, lease: minute, worker: "worker" }
        const [take] = yield* record(Effect.asVoid(store.claim(claim)))
        if (take === undefined) return expect.unreachable()
        for (const nodes of [yield* customPlan(take), yield* genericPlan(take)]) {
          const used = new Set(nodes.flatMap((node) => (node["Index Name"] === undefined ? [] : [node["Index Name"]])))
          expect([...used].toSorted()).toEqual(["deliveries_due", "deliveries_pkey"])
        }
      })
    )

    it.effect("a tenant finds by a cancel key, and by an endpoint, what the indexes are made for", () =>
      Effect.gen(function* () {
        const store = yield* DeliveryStore
        const [plans] = yield* indexesOfCall(tenantId, store.cancel(tenantId, { cancelKey: "key-2" }, now))
        expect(plans).toEqual([{ index: "notifications_cancel", condition: expect.stringContaining("cancelKey") }])
        const list = store.list(tenantId, { endpointId: "endpoint-7", limit: 20 })
        expect(yield* indexesOfCall(tenantId, list)).toEqual([
          [{ index: "deliveries_endpoint", condition: expect.stringContaining("endpointId") }]
        ])
      })
    )

    it.effect("the list of a user is read from an index of his own", () =>
      Effect.gen(function* () {
        const store = yield* DeliveryStore
        const filter = { userId: key.userId, limit: 20 }
        for (const list of [filter, { ...filter, before: DeliveryId.make("seeded-5") }]) {
          const [statement] = yield* record(Effect.asVoid(store.list(tenantId, list)))
          if (statement === undefined) return expect.unreachable()
          for (const nodes of [yield* customPlan(statement), yield* genericPlan(statement)]) {
            const used = nodes.flatMap((node) => (node["Index Name"] === undefined ? [] : [node["Index Name"]]))
            expect(used).toEqual(["deliveries_user"])
          }
        }
      })
    )

    it.effect(
      "the check of the whole store reads neither the notifications nor the deliveries as a whole",
      () =>
        Effect.gen(function* () {
          const store = yield* DeliveryStore
          const statements = yield* record(Effect.asVoid(store.reconcile(now, minute)))
          expect(statements).toHaveLength(4)
          const used: Array<string> = []
          for (const statement of statements) {
            for (const nodes of [yield* customPlan(statement), yield* genericPlan(statement)]) {
              expect(scans(nodes)).not.toContain("notifications")
              expect(scans(nodes)).not.toContain("deliveries")
              for (const { ["Index Name"]: index } of nodes) if (index !== undefined) used.push(index)
            }
          }
          expect(used).toContain("delivery_events_received")
          expect(used).toContain("deliveries_gathered")
        }),
      milliseconds
    )
  })
