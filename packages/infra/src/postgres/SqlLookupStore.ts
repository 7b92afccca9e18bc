/**
 * Lookups in PostgreSQL.
 *
 * **Details**
 *
 * The deployment's rows have an empty tenant id, which no tenant has. `seed` is the revision of the seeds that wrote a row, and
 * null from the first change by somebody on: seeds pass such a row over.
 */
import type { Lookup, LookupInput } from "@beckon/domain/Lookup"
import { LookupStore, maxLookups } from "@beckon/domain/ports/LookupStore"
import type { LookupOwner } from "@beckon/domain/ports/LookupStore"
import { Array, DateTime, Effect, Layer, Option } from "effect"
import type { Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { bigints, booleans, texts, timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

/** As the driver gives it. The store trusts its own table and does not decode each row with a schema. */
interface LookupRow {
  readonly tenant_id: string
  readonly code: string
  readonly labels: Readonly<Record<string, string>>
  readonly attributes: Schema.JsonObject
  readonly active: boolean
  readonly position: number
  readonly updated_at: Date
}

const idOf = (owner: LookupOwner): string => (owner === "platform" ? "" : owner.tenantId)

const toLookup = (row: LookupRow): Lookup => ({
  code: row.code,
  labels: row.labels,
  attributes: row.attributes,
  active: row.active,
  order: row.position,
  source: row.tenant_id === "" ? "platform" : "tenant",
  updatedAt: DateTime.fromDateUnsafe(row.updated_at)
})

const whole = ({ active = true, attributes = {}, labels, order = 0 }: LookupInput) => ({
  active,
  attributes: JSON.stringify(attributes),
  labels: JSON.stringify(labels),
  order
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const all = sql`l.tenant_id, l.code, l.labels, l.attributes, l.active, l.position, l.updated_at`

  return LookupStore.of({
    list: Effect.fn("LookupStore.list")(function* (owner, kind) {
      const rows = yield* sql<LookupRow>`
        select ${all} from lookups l where l.tenant_id = ${idOf(owner)} and l.kind = ${kind}`
      return rows.map(toLookup)
    }, unavailable("LookupStore.list")),

    put: Effect.fn("LookupStore.put")(function* (owner, kind, code, input, now) {
      const { active, attributes, labels, order } = whole(input)
      const id = idOf(owner)
      const rows = yield* sql<LookupRow>`
        insert into lookups as l (tenant_id, kind, code, labels, attributes, active, position, seed, updated_at)
        select ${id}, ${kind}, ${code}, ${labels}::jsonb, ${attributes}::jsonb, ${active}, ${order}, null, ${timestamp(now)}
        where (select count(*) from lookups o where o.tenant_id = ${id} and o.kind = ${kind} and o.code <> ${code})
          < ${maxLookups}
        on conflict (tenant_id, kind, code) do update
        set labels = excluded.labels, attributes = excluded.attributes, active = excluded.active,
          position = excluded.position, seed = null, updated_at = excluded.updated_at
        returning ${all}`
      return Option.map(Array.head(rows), toLookup)
    }, unavailable("LookupStore.put")),

    remove: Effect.fn("LookupStore.remove")(function* (owner, kind, code) {
      const rows = yield* sql<LookupRow>`
        delete from lookups l where l.tenant_id = ${idOf(owner)} and l.kind = ${kind} and l.code = ${code}
        returning ${all}`
      return Option.map(Array.head(rows), toLookup)
    }, unavailable("LookupStore.remove")),

    seed: Effect.fn("LookupStore.seed")(function* (owner, seeds, revision, now) {
      if (seeds.length === 0) return []
      const rows = seeds.map(whole)
      // In the order of the key, so that two processes that seed at once do not wait for each other in a circle.
      const written = yield* sql<{ readonly kind: string; readonly code: string }>`
        insert into lookups as l (tenant_id, kind, code, labels, attributes, active, position, seed, updated_at)
        select ${idOf(owner)}, k.kind, k.code, k.labels::jsonb, k.attributes::jsonb, k.active, k.position, ${revision},
          ${timestamp(now)}
        from unnest(
          ${texts(seeds.map(({ kind }) => kind))}::text[],
          ${texts(seeds.map(({ code }) => code))}::text[],
          ${texts(rows.map(({ labels }) => labels))}::text[],
          ${texts(rows.map(({ attributes }) => attributes))}::text[],
          ${booleans(rows.map(({ active }) => active))}::boolean[],
          ${bigints(rows.map(({ order }) => order))}::bigint[]
        ) as k(kind, code, labels, attributes, active, position)
        order by k.kind collate "C", k.code collate "C"
        on conflict (tenant_id, kind, code) do update
        set labels = excluded.labels, attributes = excluded.attributes, active = excluded.active,
          position = excluded.position, seed = excluded.seed, updated_at = excluded.updated_at
        where l.seed < excluded.seed
        returning l.kind, l.code`
      return written.map(({ code, kind }) => `${kind}/${code}`).toSorted()
    }, unavailable("LookupStore.seed"))
  })
})

/** Lookups in PostgreSQL. */
export const layer: Layer.Layer<LookupStore, never, SqlClient> = Layer.effect(LookupStore, make)
