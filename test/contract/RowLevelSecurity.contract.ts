/**
 * What tenants can reach of one another's rows when the statement itself does not ask whose they are: nothing.
 */
import { TenantId } from "@beckon/domain/Identifiers"
import { asTenant } from "@beckon/domain/ports/RowAccess"
import { readCatalog } from "@beckon/infra/postgres/DatabaseCopyCatalog"
import type { CopyTable } from "@beckon/infra/postgres/DatabaseCopyCatalog"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { rolesOf } from "@beckon/infra/postgres/RowLevelSecurity"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { fillAll } from "../integration/migrate/AllKinds.ts"

const mine = TenantId.make("default")
const stranger = TenantId.make("stranger")

/** Tables that know no tenants, with what a tenant may do there. */
const withoutTenant: Readonly<Record<string, ReadonlyArray<string>>> = {
  beckon_migrations: [],
  duties: [],
  event_outbox: ["INSERT"],
  sealed_keys: []
}

/** Tables whose rows belong to the tenant of the delivery that they are about. */
const ofDeliveries = ["delivery_attempts", "delivery_events"]

const codeOf = ({ reason: { cause } }: SqlError): unknown =>
  typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined

/** SQLSTATE of a right that is missing, and of a row that a policy refuses. */
const refused = "42501"

/** Undoes whatever `use` has done; answers with the code of the error that it met. */
const undone = <A>(use: Effect.Effect<A, SqlError, SqlClient>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const kept = yield* Deferred.make<A | { readonly code: unknown }>()
    yield* sql
      .withTransaction(
        Effect.andThen(
          Effect.matchEffect(use, {
            onFailure: (error) => Deferred.succeed(kept, { code: codeOf(error) }),
            onSuccess: (value) => Deferred.succeed(kept, value)
          }),
          Effect.fail("undone" as const)
        )
      )
      .pipe(Effect.ignore)
    return yield* Deferred.await(kept)
  })

const quote = (name: string) => `"${name}"`

type It = Vitest.MethodsNonLive<SqlClient>

const tenantTables = Effect.gen(function* () {
  const sql = yield* SqlClient
  const { tables } = yield* readCatalog(sql)
  return [...tables.values()].filter(({ name }) => !(name in withoutTenant))
})

const catalogContract = (it: It) => {
  it.effect("every table with tenants forces row-level security, with a policy for each role", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const roles = yield* rolesOf(sql)
      const tables = yield* sql<{ readonly name: string; readonly forced: boolean; readonly policies: string }>`
        select c.relname::text as name, c.relrowsecurity and c.relforcerowsecurity as forced,
          (select string_agg(p.polname || ':' || pg_get_userbyid(p.polroles[1]) || ':' || cardinality(p.polroles), ' ' order by p.polname)
           from pg_policy p where p.polrelid = c.oid and p.polcmd = '*') as policies
        from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
          and (exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
            or c.relname not in ${sql.in(Object.keys(withoutTenant))})`
      expect(tables.length).toBeGreaterThan(ofDeliveries.length)
      for (const table of tables) {
        expect(table).toEqual({
          name: table.name,
          forced: true,
          policies: `beckon_system:${roles.system}:1 beckon_tenant:${roles.tenant}:1`
        })
      }
    })
  )

  it.effect("a tenant has no rights on what knows no tenants, but to add events", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { tenant } = yield* rolesOf(sql)
      const rights = yield* sql<{ readonly name: string; readonly rights: ReadonlyArray<string> }>`
        select c.relname::text as name, array(
          select r from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) r
          where has_table_privilege(${tenant}, c.oid, r)) as rights
        from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
          and c.relname in ${sql.in(Object.keys(withoutTenant))}`
      expect(Object.fromEntries(rights.map((row) => [row.name, row.rights]))).toEqual(withoutTenant)
    })
  )

  it.effect("neither role bypasses row-level security, owns a table, or is the other one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { system, tenant } = yield* rolesOf(sql)
      const [roles] = yield* sql`
        select bool_or(r.rolsuper or r.rolbypassrls or r.rolcanlogin or r.rolcreaterole) as mighty,
          bool_or(exists (select from pg_class c where c.relowner = r.oid)) as owners,
          pg_has_role(${tenant}, ${system}, 'MEMBER') as same
        from pg_roles r where r.rolname in (${tenant}, ${system})`
      expect(roles).toEqual({ mighty: false, owners: false, same: false })
    })
  )
}

/** The columns of a table that can be written. */
const columnsOf = ({ columns }: CopyTable) =>
  columns.filter(({ generated }) => !generated).map(({ name }) => quote(name))

const rowsContract = (it: It) => {
  it.effect("a tenant sees its rows of every table, and no others; the system sees all", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* fillAll(sql)
      for (const { columns, name } of yield* tenantTables) {
        const count = Effect.map(
          sql<{ readonly rows: number }>`select count(*)::int as rows from ${sql(name)}`,
          ([row]) => row?.rows
        )
        const tenanted = columns.some((column) => column.name === "tenant_id")
        const [own] = tenanted
          ? yield* sql<{ readonly rows: number }>`
              select count(*)::int as rows from ${sql(name)} where tenant_id = ${mine}
                or (${name} = 'lookups' and tenant_id = '')`
          : yield* sql<{ readonly rows: number }>`
              select count(*)::int as rows from ${sql(name)} where delivery_id is not null`
        // A table without rows would show nothing: AllKinds.ts has some of every table.
        expect({ name, has: (own?.rows ?? 0) > 0 }).toEqual({ name, has: true })
        expect({ name, rows: yield* asTenant(mine)(count) }).toEqual({ name, rows: own?.rows })
        const shared = name === "lookups" ? 1 : 0
        expect({ name, rows: yield* asTenant(stranger)(count) }).toEqual({ name, rows: shared })
        expect(yield* count).toBeGreaterThanOrEqual(own?.rows ?? 0)
      }
    })
  )

  it.effect("a tenant changes and removes no row of another one, in any table", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const affected = (rows: ReadonlyArray<object>) => rows.length
      for (const table of yield* tenantTables) {
        const name = sql(table.name)
        const first = sql(table.key[0] ?? "")
        const changed = undone(
          asTenant(stranger)(Effect.map(sql`update ${name} set ${first} = ${first} returning 1`, affected))
        )
        const removed = undone(asTenant(stranger)(Effect.map(sql`delete from ${name} returning 1`, affected)))
        const nothing = ["audit_log", "dead_letters"].includes(table.name) ? { code: refused } : 0
        expect({ name: table.name, changed: yield* changed, removed: yield* removed }).toEqual({
          name: table.name,
          changed: nothing,
          removed: nothing
        })
      }
    })
  )

  it.effect("a tenant adds no row to another one, and gives none of its own away", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      for (const table of yield* tenantTables) {
        const columns = columnsOf(table).join(", ")
        const [row] = yield* sql.unsafe<{ readonly line: string }>(
          `select t::text as line from ${quote(table.name)} t
           where ${ofDeliveries.includes(table.name) ? "delivery_id = 'd1'" : `tenant_id = '${mine}'`} limit 1`
        )
        const insert = sql.unsafe(
          `insert into ${quote(table.name)} (${columns}) overriding system value
           select ${columns} from (select ($1::text::${quote(table.name)}).*) as r`,
          [row?.line ?? ""]
        )
        expect({ name: table.name, added: yield* undone(asTenant(stranger)(insert)) }).toEqual({
          name: table.name,
          added: { code: refused }
        })
        const owner = ofDeliveries.includes(table.name)
          ? sql`delivery_id = 'of-a-stranger'`
          : sql`tenant_id = ${stranger}`
        expect({
          name: table.name,
          given: yield* undone(asTenant(mine)(sql`update ${sql(table.name)} set ${owner}`))
        }).toEqual({ name: table.name, given: { code: refused } })
      }
    })
  )

  it.effect("what the deployment has for all tenants is read by each and written by none", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const hide = sql`update lookups set active = false where tenant_id = '' returning 1`
      const remove = sql`delete from lookups where tenant_id = '' returning 1`
      const add = sql`insert into lookups select '', kind, code || '2', labels, attributes, true, 1, 1, now() from lookups`
      expect(yield* asTenant(stranger)(sql`select code from lookups`)).toEqual([{ code: "email" }])
      expect(yield* undone(asTenant(stranger)(hide))).toEqual([])
      expect(yield* undone(asTenant(stranger)(remove))).toEqual([])
      expect(yield* undone(asTenant(stranger)(add))).toEqual({ code: refused })
      expect(yield* undone(hide)).toHaveLength(1)
    })
  )

  it.effect("no entry of the audit log is changed by anybody, and a tenant removes none", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const change = sql`update audit_log set action = 'other'`
      expect(yield* undone(asTenant(mine)(change))).toEqual({ code: refused })
      expect(yield* undone(change)).toEqual({ code: refused })
      expect(yield* undone(asTenant(mine)(sql`delete from audit_log`))).toEqual({ code: refused })
      expect(yield* undone(sql`delete from audit_log returning 1`)).not.toEqual([])
    })
  )
}

/** Runs on a database of its own, which it fills. */
export const rowLevelSecurityContract = (it: It) => {
  catalogContract(it)
  rowsContract(it)
}

/** Where the login is no superuser; a database that has rows. */
export const ownerContract = (it: It) => {
  it.effect("the owner of the tables, by itself, has no rows", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      for (const { name } of yield* tenantTables) {
        expect({ name, rows: yield* asOwner(sql`select 1 from ${sql(name)}`) }).toEqual({ name, rows: [] })
      }
    })
  )
}
