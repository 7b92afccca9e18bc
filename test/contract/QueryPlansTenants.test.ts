import { TenantId } from "@beckon/domain/Identifiers"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { plansOf, record, scans } from "./PlannedStatements.ts"
import { seedTenants, useTenants } from "./QueryPlansTenants.ts"
import { layerPglite } from "./SqlStores.ts"

layer(layerPglite, { timeout: "120 seconds" })("query plans of tenants", (it) => {
  it.effect(
    "no statement about tenants reads a whole table",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const tenantId = TenantId.make("planned")
        yield* seedTenants(tenantId, 20_000)
        yield* asOwner(sql`analyze`)
        const statements = yield* record(useTenants(tenantId))
        expect(statements).toHaveLength(21)
        for (const statement of statements) {
          for (const plan of plansOf(statement, tenantId)) {
            expect({ statement: statement[0], scans: scans(yield* plan) }).toMatchObject({ scans: [] })
          }
        }
      }),
    120_000
  )
})
