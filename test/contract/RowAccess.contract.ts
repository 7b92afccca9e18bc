/**
 * Under whose name statements run, and what they leave behind on the connection that they had.
 */
import { TenantId } from "@beckon/domain/Identifiers"
import { asSystem, asTenant } from "@beckon/domain/ports/RowAccess"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Fiber, Latch, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

const mine = TenantId.make("default")

// Without what tells the database apart from others of its server.
const whoAmI = Effect.flatMap(
  SqlClient,
  (sql) => sql<{ readonly role: string; readonly tenant: string }>`
    select regexp_replace(current_user, '_[0-9a-f]{12}_', '_') as role, coalesce(current_setting('beckon.tenant_id', true), '') as tenant`
).pipe(Effect.map(([row]) => `${row?.role} ${row?.tenant}`))

const system = "beckon_system "

/** On a pool of one connection: what one statement leaves behind, the next one meets. */
export const rowAccessContract = (it: Vitest.MethodsNonLive<SqlClient>) => {
  it.effect("statements, streams and transactions run for the tenant of their fiber, and leave nothing behind", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const tenant = asTenant(mine)
      expect(yield* tenant(whoAmI)).toBe("beckon_tenant default")
      expect(yield* whoAmI).toBe(system)
      expect(yield* tenant(sql.withTransaction(whoAmI))).toBe("beckon_tenant default")
      expect(yield* whoAmI).toBe(system)
      const roles = sql<{ readonly role: string }>`
        select regexp_replace(current_user, '_[0-9a-f]{12}_', '_') || n as role from generate_series(1, 3) n`
      expect(yield* tenant(Stream.runCollect(roles.stream))).toEqual(
        [1, 2, 3].map((n) => ({ role: `beckon_tenant${n}` }))
      )
      expect(yield* whoAmI).toBe(system)
      expect(yield* tenant(Stream.runHead(roles.stream))).toMatchObject({ value: { role: "beckon_tenant1" } })
      expect(yield* whoAmI).toBe(system)
      yield* tenant(Effect.flip(sql`select 1 / 0`))
      expect(yield* whoAmI).toBe(system)
      yield* tenant(Effect.flip(sql.withTransaction(Effect.andThen(whoAmI, sql`select 1 / 0`))))
      expect(yield* whoAmI).toBe(system)
      yield* tenant(Effect.flip(Stream.runDrain(sql`select 1 / (3 - n) from generate_series(1, 5) n`.stream)))
      expect(yield* whoAmI).toBe(system)
    })
  )

  it.effect("what a tenant writes in a stream stays when the stream ends", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const tenantId = TenantId.make("streams")
      const add = sql`insert into preferences values (${tenantId}, 'u', '{}', now()) returning user_id`
      yield* asTenant(tenantId)(Stream.runDrain(add.stream))
      expect(yield* sql`select user_id from preferences where tenant_id = ${tenantId}`).toEqual([{ user_id: "u" }])
    })
  )

  it.effect("inside a transaction each statement has the access of its own fiber, and the next one again its own", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const other = TenantId.make("other")
      const steps = Effect.gen(function* () {
        const seen = [yield* whoAmI, yield* asTenant(other)(whoAmI), yield* asSystem(whoAmI), yield* whoAmI]
        yield* Effect.ignore(sql.withTransaction(asTenant(other)(Effect.andThen(whoAmI, sql`select 1 / 0`))))
        // The savepoint took the settings back: whoever had them before must get them again.
        return [...seen, yield* asTenant(other)(whoAmI), yield* whoAmI]
      })
      expect(yield* sql.withTransaction(steps)).toEqual([
        system,
        "beckon_tenant other",
        system,
        system,
        "beckon_tenant other",
        system
      ])
      const tenant = "beckon_tenant default"
      expect(yield* asTenant(mine)(sql.withTransaction(steps))).toEqual([
        tenant,
        "beckon_tenant other",
        system,
        tenant,
        "beckon_tenant other",
        tenant
      ])
    })
  )

  it.effect("fibers of several tenants in one transaction do not take one another's place", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const names = Array.from({ length: 40 }, (_, index) => TenantId.make(`fiber-${index % 4}`))
      const seen = yield* sql.withTransaction(
        Effect.forEach(names, (name) => asTenant(name)(whoAmI), { concurrency: "unbounded" })
      )
      expect(seen).toEqual(names.map((name) => `beckon_tenant ${name}`))
    })
  )

  it.effect("a tenant is compared as it is, whatever its name contains", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const names = ["o'brien", "back\\slash", "'; reset role; --", "$1", "%", '"', "ünï 👋", "e'\\x41'", " "]
      for (const name of names) {
        const tenantId = TenantId.make(name)
        yield* asTenant(tenantId)(sql`insert into preferences values (${tenantId}, 'u', '{}', now())`)
        expect(yield* asTenant(tenantId)(sql`select tenant_id from preferences`)).toEqual([{ tenant_id: name }])
        expect(yield* asTenant(tenantId)(whoAmI)).toBe(`beckon_tenant ${name}`)
      }
      // PostgreSQL has no NUL in its texts: nothing runs at all.
      const cut = "o'brien\u0000" as TenantId
      yield* Effect.flip(asTenant(cut)(sql`select tenant_id from preferences`))
      expect(yield* asTenant("" as TenantId)(sql`select tenant_id from lookups where tenant_id <> ''`)).toEqual([])
      expect(yield* whoAmI).toBe(system)
    })
  )

  it.effect("outside of a transaction a reserved connection runs nothing for a tenant", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const connection = yield* sql.reserve
      const error = yield* Effect.flip(asTenant(mine)(connection.execute("select 1", [], undefined)))
      expect(error.reason.message).toContain("transaction")
      expect(yield* connection.execute("select 1 as one", [], undefined)).toEqual([{ one: 1 }])
    }).pipe(Effect.scoped)
  )

  it.effect("a statement of a tenant that is interrupted leaves nothing behind", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      for (let round = 0; round < 5; round++) {
        const begun = yield* Latch.make()
        const long = sql.withTransaction(
          Effect.andThen(
            sql`insert into preferences values ('interrupted', 'u', '{}', now())`,
            Effect.andThen(begun.open, sql`select count(*) from generate_series(1, ${20_000 * round}) n`)
          )
        )
        const fiber = yield* Effect.forkChild(asTenant(TenantId.make("interrupted"))(Effect.forever(long)))
        yield* begun.await
        yield* Fiber.interrupt(fiber)
        expect(yield* whoAmI).toBe(system)
        yield* sql`delete from preferences where tenant_id = 'interrupted'`
        const single = yield* Effect.forkChild(
          asTenant(mine)(sql`select count(*) from generate_series(1, ${100_000 * round}) n`),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(single)
        expect(yield* whoAmI).toBe(system)
      }
    })
  )
}
