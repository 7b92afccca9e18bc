/**
 * Planners and workers that run at the same time and are cut off at any moment: interrupted, or robbed of their connection.
 *
 * **Details**
 *
 * Whatever happens, every notification ends in exactly one digest of the channel, no digest holds more than it may, and no
 * window lets more through than its limit.
 */
import type { NewDelivery } from "@beckon/domain/Delivery"
import { deliveryChannels } from "@beckon/domain/Delivery"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { expect, layer } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, Random, Schema } from "effect"
import type { Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { accept, email, push, reportOf, sent } from "./DeliveryFixtures.ts"
import { freshTenant, noon, user } from "./Fixtures.ts"
import { layerPglite, layerPostgres } from "./SqlStores.ts"

const users = ["ada", "bob", "eve"]
const perUser = 40
const maxItems = 4
const limit = 7
const window = Duration.hours(1)
/** Every digest is due, and every lease of the run is over. */
const late = DateTime.add(noon, { days: 1 })

const gathered: NewDelivery = {
  ...email,
  dueAt: DateTime.add(noon, { minutes: 10 }),
  digest: { key: "user", window, maxItems }
}
/** Half of the notifications are gathered: the others are kept from being planned twice by nothing but the lock on their mark. */
const decide = ({ seq }: { readonly seq: number }): ReadonlyArray<NewDelivery> =>
  seq % 2 === 0 ? [gathered, limited] : [limited]

const limited: NewDelivery = { ...push, throttle: { key: "push", limit, window } }

/** Lets other fibers run a random while. */
const pause = Effect.flatMap(Random.nextIntBetween(0, 20), (count) => Effect.repeat(Effect.yieldNow, { times: count }))

/** Runs it, or stops it at some moment; what the store says about that is not the point. */
const atRisk = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(effect))
    if (yield* Random.nextBoolean) {
      yield* pause
      yield* Fiber.interrupt(fiber)
    }
    yield* Fiber.await(fiber)
  })

const planner = Effect.gen(function* () {
  const store = yield* DeliveryStore
  for (let round = 0; round < 12; round++) {
    const size = yield* Random.nextIntBetween(1, 15)
    const defect = yield* Random.nextIntBetween(0, 12)
    const mayFail = (due: { readonly seq: number }) => {
      if (due.seq % 12 === defect) throw new Error("defect")
      return decide(due)
    }
    yield* atRisk(store.plan(size, DateTime.add(noon, { hours: round }), mayFail))
  }
})

const worker = Effect.gen(function* () {
  const store = yield* DeliveryStore
  for (let round = 0; round < 12; round++) {
    const size = yield* Random.nextIntBetween(1, 6)
    yield* atRisk(
      Effect.flatMap(
        store.claim({ channels: ["email"], limit: size, now: late, lease: Duration.minutes(1), worker: "worker" }),
        (claims) =>
          store.report(
            claims.map((one) => reportOf(one, sent())),
            late
          )
      )
    )
    yield* pause
  }
})

/** Takes connections away in the middle of what they do. */
const killer = Effect.gen(function* () {
  const sql = yield* SqlClient
  for (let round = 0; round < 25; round++) {
    yield* Effect.exit(sql`
      select pg_terminate_backend(pid) from (
        select pid from pg_stat_activity
        where pid <> pg_backend_pid() and application_name = 'beckon' and state <> 'idle' order by random() limit 1
      ) victim`)
    yield* pause
  }
})

const run = Effect.fnUntraced(function* (disturbance: Effect.Effect<void, unknown, SqlClient>) {
  const store = yield* DeliveryStore
  const sql = yield* SqlClient
  const tenantId = freshTenant()
  for (const name of users) yield* accept({ tenantId, userId: user(name) }, perUser)
  const others = [planner, planner, planner, planner, worker, worker, worker, disturbance]
  yield* Effect.all(others, { concurrency: "unbounded", discard: true })
  const finish = store.plan(50, DateTime.add(late, { days: 1 }), decide)
  while ((yield* finish).notifications > 0);

  const carried = yield* sql<{ notification_id: string; count: bigint }>`
    select notification_id, count(*) from delivery_items where tenant_id = ${tenantId} group by notification_id`
  expect(carried).toHaveLength((users.length * perUser) / 2)
  const rows = yield* store.list(tenantId, { limit: 10_000 })
  const digests = rows.filter(({ channel }) => channel === "email")
  expect(digests.reduce((sum, { items }) => sum + items, 0)).toBe((users.length * perUser) / 2)
  expect(digests.filter(({ items }) => items < 1 || items > maxItems)).toEqual([])
  const single = rows.filter(({ channel }) => channel === "push")
  expect(single).toHaveLength(users.length * perUser)
  for (const name of users) {
    const through = single.filter(({ state, userId }) => userId === name && state !== "skipped")
    expect(through).toHaveLength(limit)
  }
  expect(yield* store.reconcile(late, window)).toMatchObject({ strayItems: 0, contradictions: 0, unplanned: 0 })

  // What every digest brings, once each.
  const brought: Array<string> = []
  const now = DateTime.add(late, { days: 2 })
  const finished = digests.filter(({ state }) => state === "sent").length
  const claims = yield* store.claim({
    channels: deliveryChannels,
    limit: 10_000,
    now,
    lease: Duration.days(900),
    worker: "last"
  })
  const open = claims.filter(({ delivery }) => delivery.tenantId === tenantId && delivery.channel === "email")
  expect(open).toHaveLength(digests.length - finished)
  for (const { delivery, notifications } of open) {
    expect(notifications).toHaveLength(delivery.items)
    brought.push(...notifications.map(({ id }) => id))
  }
  expect(new Set(brought).size).toBe(brought.length)
})

const suite = <E>(
  name: string,
  stores: Layer.Layer<Layer.Success<typeof layerPglite>, E>,
  disturbance: Effect.Effect<void, unknown, SqlClient>,
  runs: number
) =>
  layer(stores, { timeout: "60 seconds" })(`planners and workers at once, ${name}`, (it) => {
    it.effect.prop(
      "no notification is lost by a digest or carried twice, and no limit is passed",
      { seed: Schema.Int },
      ({ seed }) => Random.withSeed(run(disturbance), seed),
      { timeout: 120_000, arbitrary: { runs } }
    )
  })

suite("PostgreSQL server", layerPostgres, killer, 8)
suite("PGlite", layerPglite, Effect.void, 4)
