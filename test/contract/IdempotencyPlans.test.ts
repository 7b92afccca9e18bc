/**
 * The statements about idempotency keys, and what lies in their table.
 */
import { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"
import { customPlan, genericPlan, record, scans } from "./PlannedStatements.ts"
import { layerPglite } from "./SqlStores.ts"

const body = new TextEncoder().encode('{"secret":"key-that-is-shown-once"}')
const answer = { status: 201, headers: {}, body }
const until = hoursAfterNoon(24)

layer(layerPglite, { timeout: "60 seconds" })("idempotency keys in SQL", (it) => {
  it.effect("no statement reads the whole table", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const sql = yield* SqlClient
      yield* sql`
        insert into idempotency_keys (tenant_id, caller, key, fingerprint, claim, expires_at)
        select 'tenant-' || n % 50, 'user:' || n % 100, n::text, 'print', 'claim', now() + n * interval '1 second'
        from generate_series(1, 20000) n`
      yield* asOwner(sql`analyze idempotency_keys`)
      const scope = { tenantId: freshTenant(), caller: "user:ada", key: "key" }
      const claim = { fingerprint: "print", claim: "one", now: noon, until: DateTime.add(noon, { minutes: 1 }) }
      const statements = yield* record(
        Effect.gen(function* () {
          yield* store.claim(scope, claim)
          yield* store.claim(scope, claim)
          yield* store.extend(scope, "one", claim.until)
          yield* store.answer(scope, "one", answer, until)
          yield* store.release(scope, "one")
          yield* store.removeExpired(noon, 100)
        })
      )
      expect(statements).toHaveLength(6)
      for (const statement of statements) {
        for (const nodes of [yield* customPlan(statement), yield* genericPlan(statement)]) {
          expect({ statement: statement[0], scans: scans(nodes) }).toMatchObject({ scans: [] })
        }
      }
    })
  )

  it.effect("an answer is not there to be read, and opens only in its own row", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const sql = yield* SqlClient
      const scope = { tenantId: freshTenant(), caller: "user:ada", key: "mine" }
      const other = { ...scope, caller: "user:eve" }
      const claim = { fingerprint: "print", claim: "one", now: noon, until: DateTime.add(noon, { minutes: 1 }) }
      for (const one of [scope, other]) {
        yield* store.claim(one, claim)
        yield* store.answer(one, "one", answer, until)
      }
      const rows = yield* sql<{ readonly row: string }>`
        select idempotency_keys::text || encode(sealed, 'escape') as row from idempotency_keys where key = 'mine'`
      expect(rows).toHaveLength(2)
      for (const { row } of rows) {
        expect(row).not.toContain("shown-once")
        expect(row).not.toContain(Buffer.from(body).toString("base64"))
        expect(row).not.toContain(Buffer.from(body).toString("hex"))
      }
      yield* sql`
        update idempotency_keys set sealed = (select sealed from idempotency_keys where caller = 'user:ada' and key = 'mine')
        where caller = 'user:eve' and key = 'mine'`
      expect(yield* Effect.flip(store.claim(other, claim))).toMatchObject({ _tag: "StoreUnavailable" })
      expect(yield* store.claim(scope, claim)).toMatchObject({ _tag: "Answered", answer })
    })
  )
})
