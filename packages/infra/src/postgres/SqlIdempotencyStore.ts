/**
 * Idempotency keys in PostgreSQL.
 *
 * **Details**
 *
 * One insert decides: of many at the same time the primary key lets one pass, and a row whose time is over is taken over
 * in the same statement. Answers are sealed for their row (`TokenCipher`), since they hold what is shown only once.
 */
import { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import type { Answer, Claim, IdempotencyScope } from "@beckon/domain/ports/IdempotencyStore"
import { DateTime, Effect, Layer, Option, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TokenCipher } from "../security/TokenCipher.ts"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface Row {
  readonly fingerprint: string
  readonly sealed: Uint8Array | null
  readonly key_id: string | null
  readonly expires_at: Date
}

const AnswerJson = Schema.fromJsonString(
  Schema.Struct({
    status: Schema.Int,
    headers: Schema.Record(Schema.String, Schema.String),
    body: Schema.Uint8ArrayFromBase64
  })
)
const encode = Schema.encodeEffect(AnswerJson)
const decode = Schema.decodeEffect(AnswerJson)

/** A row that goes between the insert and the look at it was released: the next insert passes. */
const tries = 5

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const cipher = yield* TokenCipher

  const boundTo = ({ caller, key }: IdempotencyScope) => `idempotency\u0000${caller}\u0000${key}`
  const mine = ({ caller, key, tenantId }: IdempotencyScope, claim: string) =>
    sql`tenant_id = ${tenantId} and caller = ${caller} and key = ${key} and claim = ${claim} and sealed is null`

  const seal = (scope: IdempotencyScope, answer: Answer) =>
    Effect.flatMap(encode(answer), (json) => cipher.sealSecret(scope.tenantId, boundTo(scope), Redacted.make(json)))

  const open = (scope: IdempotencyScope, bytes: Uint8Array, keyId: string) =>
    Effect.flatMap(cipher.openSecret(scope.tenantId, boundTo(scope), { bytes, keyId }), (json) =>
      decode(Redacted.value(json))
    )

  const find = Effect.fnUntraced(function* (scope: IdempotencyScope, fingerprint: string) {
    const rows = yield* sql<Row>`
      select fingerprint, sealed, key_id, expires_at from idempotency_keys
      where tenant_id = ${scope.tenantId} and caller = ${scope.caller} and key = ${scope.key}`
    const row = rows[0]
    if (row === undefined) return Option.none<Claim>()
    if (row.fingerprint !== fingerprint) return Option.some<Claim>({ _tag: "OtherCall" })
    if (row.sealed === null) {
      return Option.some<Claim>({ _tag: "InProgress", until: DateTime.fromDateUnsafe(row.expires_at) })
    }
    return Option.some<Claim>({ _tag: "Answered", answer: yield* open(scope, row.sealed, row.key_id ?? "") })
  })

  return IdempotencyStore.of({
    claim: Effect.fn("IdempotencyStore.claim")(function* (scope, { claim, fingerprint, now, until }) {
      for (let count = 0; count < tries; count++) {
        const claimed = yield* sql`
          insert into idempotency_keys as old (tenant_id, caller, key, fingerprint, claim, expires_at)
          values (${scope.tenantId}, ${scope.caller}, ${scope.key}, ${fingerprint}, ${claim}, ${timestamp(until)})
          on conflict (tenant_id, caller, key) do update
          set fingerprint = excluded.fingerprint, claim = excluded.claim, expires_at = excluded.expires_at,
            sealed = null, key_id = null
          where old.expires_at <= ${timestamp(now)}
          returning 1 as claimed`
        if (claimed.length > 0) return { _tag: "Claimed" } as const
        const found = yield* find(scope, fingerprint)
        if (Option.isSome(found)) return found.value
      }
      return { _tag: "InProgress", until } as const
    }, unavailable("IdempotencyStore.claim")),

    extend: Effect.fn("IdempotencyStore.extend")(function* (scope, claim, until) {
      const rows = yield* sql`
        update idempotency_keys set expires_at = ${timestamp(until)} where ${mine(scope, claim)} returning 1 as extended`
      return rows.length > 0
    }, unavailable("IdempotencyStore.extend")),

    answer: Effect.fn("IdempotencyStore.answer")(function* (scope, claim, answer, keptUntil) {
      const { bytes, keyId } = yield* seal(scope, answer)
      const rows = yield* sql`
        update idempotency_keys set sealed = ${bytes}, key_id = ${keyId}, expires_at = ${timestamp(keptUntil)}
        where ${mine(scope, claim)} returning 1 as answered`
      return rows.length > 0
    }, unavailable("IdempotencyStore.answer")),

    release: (scope, claim) =>
      unavailable("IdempotencyStore.release")(
        Effect.asVoid(sql`delete from idempotency_keys where ${mine(scope, claim)}`)
      ),

    removeExpired: Effect.fn("IdempotencyStore.removeExpired")(function* (now, limit) {
      const rows = yield* sql`
        delete from idempotency_keys where ctid = any(array(
          select ctid from idempotency_keys where expires_at <= ${timestamp(now)}
          order by expires_at limit ${limit} for update skip locked
        )) returning 1 as removed`
      return rows.length
    }, unavailable("IdempotencyStore.removeExpired"))
  })
})

/** Idempotency keys in PostgreSQL. */
export const layer: Layer.Layer<IdempotencyStore, never, SqlClient | TokenCipher> = Layer.effect(IdempotencyStore, make)
