import { layerEmbedded, layerServer } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { protect, rolesOf, withAllRows } from "@beckon/infra/postgres/RowLevelSecurity"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import { describe, expect, it, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { SqlError } from "effect/sql/SqlError"
import { rowAccessContract } from "./RowAccess.contract.ts"
import { ownerContract, rowLevelSecurityContract } from "./RowLevelSecurity.contract.ts"
import { layerOrdinary, ordinaryLogin, ordinaryServer } from "./UnderTenants.ts"

const migrated = Layer.effectDiscard(runMigrations(migrations))

layer(Layer.provideMerge(migrated, layerEmbedded({ dataDir: "memory", maxConnections: 1 })), { timeout: "60 seconds" })(
  "row-level security in PGlite",
  (test) => {
    rowLevelSecurityContract(test)
    rowAccessContract(test)

    // Without autovacuum the tables of an embedded database would only grow.
    test.effect("the system may vacuum", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`vacuum (analyze)`
        const [row] =
          yield* sql`select last_vacuum is not null as vacuumed from pg_stat_user_tables where relname = 'users'`
        expect(row).toEqual({ vacuumed: true })
      })
    )
  }
)

layer(Layer.provideMerge(migrated, layerOrdinary(1)), { timeout: "60 seconds" })(
  "row-level security on a server, with an ordinary login",
  (test) => {
    rowLevelSecurityContract(test)
    rowAccessContract(test)
    ownerContract(test)
  }
)

const on = <A, E>(url: Redacted.Redacted, use: Effect.Effect<A, E, SqlClient>) =>
  Effect.provide(use, layerServer({ url, maxConnections: 2 }))

const roles = Effect.flatMap(SqlClient, rolesOf)

const codeOf = ({ reason: { cause } }: SqlError): unknown =>
  typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined

describe("the roles of a database", () => {
  it.live(
    "are not those of another one on the same server, whose login cannot take them",
    () =>
      Effect.gen(function* () {
        const { administer, urlOf } = yield* ordinaryServer(["one"], "createrole")
        yield* administer((sql) =>
          Effect.forEach(
            ["create role neighbour login createrole password 'app-password'", "create database two owner neighbour"],
            (statement) => sql.unsafe(statement)
          )
        )
        const as = (login: string, database: string) => {
          const url = new URL(Redacted.value(urlOf(database)))
          url.username = login
          return Redacted.make(url.href)
        }
        const logins = { one: ordinaryLogin, two: "neighbour" }
        yield* on(as(logins.one, "one"), runMigrations(migrations))
        yield* on(as(logins.two, "two"), runMigrations(migrations))
        const own = { one: yield* on(as(logins.one, "one"), roles), two: yield* on(as(logins.two, "two"), roles) }
        expect(new Set([own.one.system, own.one.tenant, own.two.system, own.two.tenant]).size).toBe(4)
        for (const [login, database] of [
          [logins.two, "one"],
          [logins.one, "two"]
        ] as const) {
          // Not through a pool that takes the role by itself: it would not even connect.
          const refused = yield* Effect.flip(
            on(
              as(login, database),
              Effect.flatMap(SqlClient, (sql) => sql`select 1`)
            )
          )
          expect(codeOf(refused as SqlError)).toBe("42501")
          const taken = yield* administer(
            (sql) => sql`
              select pg_has_role(${login}, ${own[database].system}, 'MEMBER') as system,
                pg_has_role(${login}, ${own[database].tenant}, 'MEMBER') as tenant`
          )
          expect(taken).toEqual([{ system: false, tenant: false }])
        }
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "stay when it is renamed",
    () =>
      Effect.gen(function* () {
        const { administer, urlOf } = yield* ordinaryServer(["before"], "createrole")
        yield* on(urlOf("before"), runMigrations(migrations))
        const before = yield* on(urlOf("before"), roles)
        yield* administer((sql) => sql.unsafe("alter database before rename to after"))
        const role = Effect.flatMap(SqlClient, (sql) => sql`select current_user::text as role`)
        expect(yield* on(urlOf("after"), role)).toEqual([{ role: before.system }])
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "leave the tables of others in the schema alone",
    () =>
      Effect.gen(function* () {
        const { urlOf } = yield* ordinaryServer(["beckon"], "createrole")
        const url = urlOf("beckon")
        const invoices = Effect.flatMap(SqlClient, (sql) => sql`select tenant_id from invoices`)
        yield* on(
          url,
          Effect.gen(function* () {
            const sql = yield* SqlClient
            yield* sql`create table invoices (tenant_id text)`
            yield* sql`insert into invoices values ('acme')`
            yield* runMigrations(migrations)
          })
        )
        expect(yield* on(url, asOwner(invoices))).toEqual([{ tenant_id: "acme" }])
        expect(codeOf((yield* Effect.flip(on(url, invoices))) as SqlError)).toBe("42501")
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "are made once, by databases that are migrated at the same time",
    () =>
      Effect.gen(function* () {
        const names = ["one", "two", "three", "four"]
        const { urlOf } = yield* ordinaryServer(names, "createrole")
        yield* Effect.forEach(names, (name) => on(urlOf(name), runMigrations(migrations)), { concurrency: "unbounded" })
        for (const name of names) {
          const [row] = yield* on(
            urlOf(name),
            Effect.flatMap(SqlClient, (sql) => sql`select current_user::text as role, count(*)::int as rows from users`)
          )
          expect(row).toEqual({ role: (yield* on(urlOf(name), roles)).system, rows: 0 })
        }
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "are asked of an administrator when the login may not make them",
    () =>
      Effect.gen(function* () {
        const { administer, urlOf } = yield* ordinaryServer(["beckon"], "nocreaterole")
        const error = yield* Effect.flip(on(urlOf("beckon"), runMigrations(migrations)))
        const cause = error._tag === "MigrationError" ? error.cause : undefined
        expect(cause).toMatchObject({ _tag: "DatabaseRolesMissing", login: ordinaryLogin })
        const { statements } = cause as { readonly statements: string }
        expect(String(cause)).toContain(statements)
        yield* administer((sql) =>
          Effect.forEach(statements.split(";").slice(0, -1), (statement) => sql.unsafe(statement))
        )
        expect((yield* on(urlOf("beckon"), runMigrations(migrations))).length).toBe(Object.keys(migrations).length)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "are refused when they bypass row-level security",
    () =>
      Effect.gen(function* () {
        const { administer, urlOf } = yield* ordinaryServer(["beckon"], "createrole")
        const { system } = yield* on(urlOf("beckon"), roles)
        yield* administer((sql) => sql.unsafe(`create role ${system} bypassrls`))
        yield* administer((sql) => sql.unsafe(`grant ${system} to ${ordinaryLogin}`))
        const error = yield* Effect.flip(on(urlOf("beckon"), runMigrations(migrations)))
        const cause = error._tag === "MigrationError" ? error.cause : undefined
        const reason = cause instanceof SqlError ? String(cause.reason.cause) : ""
        expect(reason).toContain("must not bypass row-level security")
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "are taken by connections that were there before the tables; a later migration protects and changes its own",
    () =>
      Effect.gen(function* () {
        const { urlOf } = yield* ordinaryServer(["beckon"], "createrole")
        yield* Effect.gen(function* () {
          const sql = yield* SqlClient
          const role = sql`select current_user::text as role`
          expect(yield* role).toEqual([{ role: ordinaryLogin }])
          yield* runMigrations(migrations)
          expect(yield* role).toEqual([{ role: (yield* rolesOf(sql)).system }])
          yield* sql`insert into users (tenant_id, user_id, updated_at) values ('a', 'u', now())`
          const changed = yield* asOwner(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* sql`create table later (tenant_id text collate "C" primary key)`
                yield* protect(sql, "later")
                yield* sql`update users set name = 'nobody'`
                return yield* withAllRows(sql)(sql`update users set name = 'somebody' returning name`)
              })
            )
          )
          expect(changed).toEqual([{ name: "somebody" }])
          yield* sql`insert into later values ('a')`
          expect(yield* asOwner(sql`select 1 from later`)).toEqual([])
        }).pipe(Effect.provide(layerServer({ url: urlOf("beckon"), maxConnections: 1 })))
      }).pipe(Effect.scoped),
    60_000
  )
})
