/**
 * The two ends of a copy: an embedded database and a PostgreSQL server.
 */
import type { DatabaseServices } from "@beckon/infra/postgres/DatabaseClient"
import { layerEmbedded, layerServer } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import { Context, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { cpSync } from "node:fs"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { freshDatabase } from "../../support/services/Services.ts"
import { fillAll } from "./AllKinds.ts"

const clientOf = <E>(layer: Layer.Layer<DatabaseServices, E>) =>
  Effect.map(Layer.build(layer), (services) => Context.get(services, SqlClient))

/** An empty database of one's own on a server. */
export const target = Effect.gen(function* () {
  const { url } = yield* freshDatabase
  return { url: Redacted.value(url), sql: yield* clientOf(layerServer({ url, maxConnections: 4, minConnections: 1 })) }
})

/** An embedded database with Beckon's tables, in memory. */
export const memory = Effect.gen(function* () {
  const sql = yield* clientOf(layerEmbedded({ dataDir: "memory" }))
  yield* Effect.provideService(runMigrations(migrations), SqlClient, sql)
  return sql
})

/** Both. */
export const ends = Effect.gen(function* () {
  return { source: yield* memory, target: (yield* target).sql }
})

/** A data folder that `fill` has written to, closed again. */
export const folder = Effect.fnUntraced(function* <E>(fill: (sql: SqlClient) => Effect.Effect<unknown, E>) {
  const dataDir = path.join(yield* BeckonProcess.temporaryFolder, "data")
  yield* use(dataDir, (sql) =>
    Effect.andThen(Effect.provideService(runMigrations(migrations), SqlClient, sql), fill(sql))
  )
  return dataDir
})

/** A data folder with `fillAll` in it: making one takes seconds, copying it does not. */
export class Filled extends Context.Service<Filled, { readonly folder: Effect.Effect<string, never, Scope.Scope> }>()(
  "@beckon/test/integration/migrate/Filled"
) {
  static readonly layer = Layer.effect(
    Filled,
    Effect.map(folder(fillAll), (model) => ({
      folder: Effect.tap(
        Effect.map(BeckonProcess.temporaryFolder, (parent) => path.join(parent, "data")),
        (copied) => Effect.sync(() => cpSync(model, copied, { recursive: true }))
      )
    }))
  )
}

/** Uses the database of a data folder and closes it. */
export const use = <A, E>(dataDir: string, run: (sql: SqlClient) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(clientOf(layerEmbedded({ dataDir })), run))

/** `beckon migrate copy` with the target in `DATABASE_URL`. */
export const copy = (url: string, ...args: ReadonlyArray<string>) => ({
  args: ["migrate", "copy", ...args],
  env: { DATABASE_URL: url }
})

/** Users with a few notifications each, made by the database itself. */
export const notifications = (sql: SqlClient, count: number, users: number) =>
  Effect.andThen(
    sql`insert into mailboxes (tenant_id, user_id, epoch)
      select 'default', 'user-' || n, 'epoch' from generate_series(0, ${users - 1}) n`,
    sql`
      insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, data, push, dedupe_key,
        created_at, read_at, rev)
      select 'default', 'user-' || n % ${users}, n / ${users} + 1, 'seeded-' || n, 'type-' || n % 3, 'Title',
        'A message of a usual length, as one would write it: number ' || n, 'medium', jsonb_build_object('order', n),
        'fallback', case when n % 2 = 0 then 'key-' || n end, '2026-03-01'::timestamptz + n * interval '1.001 seconds',
        case when n % 2 = 0 then now() end, n % 2
      from generate_series(0, ${count - 1}) n`
  )

export const countOf = (sql: SqlClient, table: string) =>
  Effect.map(sql<{ readonly rows: number }>`select count(*)::int as rows from ${sql(table)}`, ([row]) => row?.rows ?? 0)
