/**
 * A new embedded database in its first minutes: statements were planned for empty tables, and nobody has analyzed them since.
 */
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { claimOf, planAll, planned, push, email, reportOf, sent, eventOf, claimWith } from "./DeliveryFixtures.ts"
import { freshKey, noon, notification } from "./Fixtures.ts"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { layerPglite } from "./SqlStores.ts"

const rowsRead = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`select pg_stat_force_next_flush()`
  const rows = yield* sql<{ readonly count: number }>`
    select sum(seq_tup_read)::int as count from pg_stat_user_tables
    where relname in ('deliveries', 'notifications', 'delivery_attempts', 'delivery_events')`
  return rows[0]?.count ?? 0
})

const work = Effect.fnUntraced(function* (limit: number) {
  const store = yield* DeliveryStore
  const claims = yield* claimWith({ limit })
  yield* store.extend(
    claims.map(({ attempt, delivery }) => ({ id: delivery.id, attempt })),
    noon
  )
  yield* store.report(
    claims.map((one) => reportOf(one, sent(`growth-${one.delivery.id}`))),
    noon
  )
  yield* store.recordEvents(
    claims.map(({ delivery }) => eventOf({ providerMessageId: `growth-${delivery.id}` })),
    noon
  )
  return claims.length
})

layer(layerPglite, { timeout: "60 seconds" })("a database that has grown", (it) => {
  it.effect("is not read as a whole by statements that were first run while it was empty", () =>
    Effect.gen(function* () {
      const key = freshKey()
      for (let round = 0; round < 10; round++) {
        yield* planned({ ...key, userId: freshKey(`user-${round}`).userId }, [push, email])
        expect(yield* work(10)).toBe(2)
      }
      const notifications = yield* NotificationStore
      const grown = freshKey()
      yield* notifications.load([grown])
      for (let page = 0; page < 6; page++) {
        yield* notifications.append(
          Array.from({ length: 1_000 }, (_, index) => notification(grown, page * 1_000 + index + 1, { planAt: noon }))
        )
      }
      while ((yield* planAll(() => [push])).notifications > 0);
      const store = yield* DeliveryStore
      yield* notifications.append(
        Array.from({ length: 50 }, (_, index) => notification(grown, 10_001 + index, { planAt: noon }))
      )
      const before = yield* rowsRead
      // Few of many: whoever reads all rows for them follows an old plan.
      for (let round = 0; round < 5; round++) {
        expect(yield* store.plan(10, noon, () => [push])).toMatchObject({ notifications: 10 })
        expect(yield* work(10)).toBe(10)
      }
      expect((yield* rowsRead) - before).toBeLessThan(1_000)
      expect((yield* claimOf(grown)).length).toBeGreaterThan(0)
    })
  )
})
