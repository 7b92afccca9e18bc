/**
 * A server on PostgreSQL, with an ordinary login, and Redis, and two tenants that have the same names for everything.
 *
 * **Details**
 *
 * Whatever a tenant keeps has its mark somewhere, and what is Ada's has hers too: a text that shows another one's mark shows
 * what it must not. Each has things under the names that the other one uses, and things under names of its own.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { randomBytes } from "node:crypto"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { startPostgres, startRedis } from "../../support/services/Services.ts"
import { jwtSecret, lastingPort, token } from "../road/Road.ts"
import { quoting } from "../secrets/Planted.ts"
import { furnish } from "./Furnished.ts"

export const publicUrl = "https://beckon.example.com"

const login = "beckon_app"

const startDatabase = Effect.gen(function* () {
  const { url } = yield* startPostgres()
  const urlOf = (user: string | undefined, password: string, database: string) => {
    const one = new URL(Redacted.value(url))
    if (user !== undefined) Object.assign(one, { username: user, password })
    one.pathname = `/${database}`
    return Redacted.make(one.href)
  }
  const administer = (statement: string) =>
    Effect.scoped(
      Effect.flatMap(Layer.build(PgClient.layer({ url })), (services) =>
        Context.get(services, SqlClient).unsafe(statement)
      )
    )
  yield* administer(`create role ${login} login createrole password 'app-password'`)
  yield* administer(`create database beckon owner ${login}`)
  // A superuser: row-level security hides nothing from whoever looks whether it has held.
  const services = yield* Layer.build(PgClient.layer({ url: urlOf(undefined, "", "beckon"), maxConnections: 2 }))
  return { sql: Context.get(services, SqlClient), url: urlOf(login, "app-password", "beckon") }
})

const mark = (whose: string) => `${whose}${randomBytes(8).toString("hex")}`

const start = Effect.gen(function* () {
  const [database, redis, senders, nodePort] = yield* Effect.all([startDatabase, startRedis(), quoting, lastingPort], {
    concurrency: "unbounded"
  })
  const running = yield* BeckonProcess.start({
    env: {
      DATABASE_URL: Redacted.value(database.url),
      REDIS_URL: Redacted.value(redis.url),
      NODE_PORT: String(nodePort),
      HOST: "127.0.0.1",
      BECKON_JWT_SECRET: jwtSecret,
      BECKON_KEYS: `k:${randomBytes(32).toString("hex")}`,
      BECKON_PUBLIC_URL: publicUrl,
      BECKON_LOG_LEVEL: "debug",
      BECKON_DELIVERY_TRIES: "push=1,sms=1,webhook=1",
      BECKON_RATE_LIMIT_FAILURES: "1000/10000",
      METRICS_TOKEN: "metrics-token-of-the-tests",
      WEBHOOK_ALLOWED_NETWORKS: "127.0.0.0/8"
    }
  })
  const place = { url: running.url, senders, sql: database.sql }
  const alpha = yield* furnish(place, { tenant: "alpha", mark: mark("alphamark"), adas: mark("adamark") })
  const beta = yield* furnish(place, { tenant: "beta", mark: mark("betamark"), adas: mark("betaada") })
  return {
    running,
    url: running.url,
    databaseUrl: database.url,
    redisUrl: redis.url,
    sql: database.sql,
    senders,
    alpha,
    beta,
    platform: token({ sub: "operator", tenant: "operators", roles: ["platform"] })
  }
})

export class Deployment extends Context.Service<Deployment, Effect.Success<typeof start>>()(
  "@beckon/test/isolation/Deployment"
) {
  static readonly layer = Layer.effect(Deployment, start)
}

/** Rows as JSON texts, by table, in an order of their own. */
export type Rows = Readonly<Record<string, ReadonlyArray<string>>>

/** All rows of a tenant, of every table that has tenants and of those about deliveries. */
export const rowsOf = Effect.fnUntraced(function* (tenant: string) {
  const { sql } = yield* Deployment
  const tables = yield* sql<{ readonly name: string; readonly tenanted: boolean }>`
    select c.relname::text as name,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') as tenanted
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname in ('tenant_id', 'delivery_id'))
    order by 1`
  const rows: Record<string, ReadonlyArray<string>> = {}
  for (const { name, tenanted } of tables) {
    const found = yield* sql<{ readonly row: string }>`
      select to_jsonb(t)::text as row from ${sql(name)} t where ${
        tenanted
          ? sql`tenant_id = ${tenant}`
          : sql`delivery_id in (select id from deliveries where tenant_id = ${tenant})`
      } order by 1`
    rows[name] = found.map(({ row }) => row)
  }
  return rows satisfies Rows
})

/** What is there of one and not of the other. */
export const differences = (before: Rows, after: Rows): ReadonlyArray<string> =>
  Object.keys({ ...before, ...after }).flatMap((table) => {
    const [was, is] = [new Set(before[table]), new Set(after[table])]
    return [
      ...[...was].filter((row) => !is.has(row)).map((row) => `gone from ${table}: ${row}`),
      ...[...is].filter((row) => !was.has(row)).map((row) => `new in ${table}: ${row}`)
    ]
  })
