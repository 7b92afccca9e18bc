import { TenantId } from "@beckon/domain/Identifiers"
import { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { hoursAfterNoon, noon, user } from "./Fixtures.ts"
import { customPlan, genericPlan, record, scans } from "./PlannedStatements.ts"
import { layerPglite } from "./SqlStores.ts"

const tenantId = TenantId.make("tracked3")

const useGrants = Effect.gen(function* () {
  const grants = yield* TrackingGrants
  const numbers = Array.from({ length: 50 }, (_, index) => index)
  yield* grants.apply(
    tenantId,
    numbers.map((n) => ({
      orderId: `order-${n}`,
      customerId: user(`customer-${n}`),
      driverId: user("driver-1"),
      at: noon,
      until: hoursAfterNoon(24)
    }))
  )
  yield* grants.areGranted(
    tenantId,
    numbers.map((n) => ({ customerId: user(`customer-${n}`), driverId: user(`driver-${n % 7}`) })),
    noon
  )
  yield* grants.reap(noon, 100)
})

layer(layerPglite, { timeout: "60 seconds" })("query plans of tracking grants", (it) => {
  it.effect("no statement reads the whole table", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`
        insert into tracking_grants (tenant_id, order_id, customer_id, driver_id, changed_at, ends_at)
        select 'tracked' || n % 10, 'order-' || n, 'customer-' || n % 3000, case when n % 3 > 0 then 'driver-' || n % 200 end,
          now(), now() + n * interval '1 second'
        from generate_series(1, 30000) n`
      yield* sql`analyze tracking_grants`
      const statements = (yield* record(useGrants)).filter(([text]) => text.includes("tracking_grants"))
      expect(statements).toHaveLength(4)
      for (const statement of statements) {
        for (const nodes of [yield* customPlan(statement), yield* genericPlan(statement)]) {
          expect({ statement: statement[0], scans: scans(nodes) }).toMatchObject({ scans: [] })
        }
      }
    })
  )
})
