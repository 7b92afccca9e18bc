/**
 * Dead letters from before they had an owner get the one that their record names.
 */
import { TenantId } from "@beckon/domain/Identifiers"
import { asTenant } from "@beckon/domain/ports/RowAccess"
import { layerEmbedded } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

const before = Object.fromEntries(Object.entries(migrations).filter(([name]) => name < "0012"))

const letters = [
  String.raw`{"topic":"t","key":"","headers":{"tenant":"acme"},"value":"","reason":""}`,
  String.raw`{"topic":"t","key":"","headers":{},"value":"","reason":""}`,
  String.raw`{"topic":"t","key":"","headers":{"tenant":"acme\u0000"},"value":"","reason":""}`,
  String.raw`{"topic":"t","key":"\ud800","headers":{"tenant":"acme"},"value":"","reason":""}`
]

layer(layerEmbedded({ dataDir: "memory" }), { timeout: "60 seconds" })("dead letters", (it) => {
  it.effect("that came before are their tenant's, and nobody's where that cannot be read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* runMigrations(before)
      for (const letter of letters) {
        yield* sql`insert into dead_letters (topic, letter, created_at) values ('t', ${letter}::text::json, now())`
      }
      yield* runMigrations(migrations)
      const owners = yield* sql<{ readonly tenant_id: string | null }>`select tenant_id from dead_letters order by id`
      expect(owners.map(({ tenant_id }) => tenant_id).slice(0, 3)).toEqual(["acme", "default", null])
      const own = yield* asTenant(TenantId.make("default"))(sql`select tenant_id from dead_letters`)
      expect(own).toEqual([{ tenant_id: "default" }])
    })
  )
})
