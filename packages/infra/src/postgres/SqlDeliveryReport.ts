/**
 * Keeps what became of deliveries: the tries that were made, and the states they led to.
 */
import type { DeliveryId } from "@beckon/domain/Delivery"
import type { Report } from "@beckon/domain/ports/DeliveryStore"
import { Effect } from "effect"
import type { DateTime as Times } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { afterReport } from "../delivery/DeliveryChange.ts"
import type { DeliveryCore } from "../delivery/DeliveryChange.ts"
import { lockRows, saveChanges, toCore, toDelivery } from "./DeliveryRow.ts"
import type { DeliveryRow } from "./DeliveryRow.ts"
import { announce } from "./SqlDeliveryAnnounce.ts"
import type { AnnounceOptions } from "./SqlDeliveryAnnounce.ts"
import { bigints, doubles, texts, timestamps } from "./SqlValues.ts"

/** A report that comes twice, because the answer to the first was lost, adds nothing. */
const insertAttempts = (sql: SqlClient, reports: ReadonlyArray<Report>) => {
  const tries = reports.flatMap(({ attempt, attempts, id }) =>
    attempts.map((one, ordinal) => ({ ...one, id, attempt, ordinal }))
  )
  return tries.length === 0
    ? Effect.void
    : Effect.asVoid(sql`
        insert into delivery_attempts (delivery_id, attempt, ordinal, provider, outcome, code, detail, duration_ms, at)
        select * from unnest(
          ${texts(tries.map(({ id }) => id))}::text[],
          ${bigints(tries.map(({ attempt }) => attempt))}::bigint[],
          ${bigints(tries.map(({ ordinal }) => ordinal))}::bigint[],
          ${texts(tries.map(({ provider }) => provider))}::text[],
          ${texts(tries.map(({ outcome }) => outcome))}::text[],
          ${texts(tries.map(({ code }) => code))}::text[],
          ${texts(tries.map(({ detail }) => detail))}::text[],
          ${doubles(tries.map(({ durationMs }) => durationMs))}::double precision[],
          ${timestamps(tries.map(({ at }) => at.epochMilliseconds))}::timestamptz[]
        ) as k(delivery_id, attempt, ordinal, provider, outcome, code, detail, duration_ms, at)
        on conflict do nothing`)
}

/**
 * Applies changes, one after another, to deliveries that this transaction has locked; saves and announces what they lead to.
 */
export const applyAll = Effect.fnUntraced(function* <A extends { readonly id: DeliveryId }>(
  sql: SqlClient,
  options: AnnounceOptions,
  rows: ReadonlyArray<DeliveryRow>,
  inputs: ReadonlyArray<A>,
  change: (core: DeliveryCore, input: A) => DeliveryCore,
  now: Times.Utc
): Effect.fn.Return<void, SqlError> {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const cores = new Map(rows.map((row) => [row.id, toCore(row)]))
  const changed = new Map<DeliveryId, DeliveryCore>()
  const subjects: Array<Parameters<typeof announce>[2][number]> = []
  for (const input of inputs) {
    const core = cores.get(input.id)
    const row = byId.get(input.id)
    if (core === undefined || row === undefined) continue
    const next = change(core, input)
    if (next === core) continue
    cores.set(input.id, next)
    changed.set(input.id, next)
    if (next.state !== core.state) {
      subjects.push({ ...toDelivery(row), state: next.state, provider: next.provider, reason: next.reason })
    }
  }
  if (changed.size > 0) yield* saveChanges(sql, changed, now)
  yield* announce(sql, options, subjects, now)
})

/** Keeps the reports; to be run in a transaction. */
export const report = Effect.fnUntraced(function* (
  sql: SqlClient,
  options: AnnounceOptions,
  reports: ReadonlyArray<Report>,
  now: Times.Utc
): Effect.fn.Return<void, SqlError> {
  const rows = yield* lockRows(sql, [...new Set(reports.map(({ id }) => id))])
  const known = new Set(rows.map(({ id }) => id))
  yield* insertAttempts(
    sql,
    reports.filter(({ id }) => known.has(id))
  )
  yield* applyAll(sql, options, rows, reports, afterReport, now)
})
