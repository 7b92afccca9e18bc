/**
 * Under which hash a device token is found again.
 *
 * **Details**
 *
 * The key is the one that the oldest secret gave when the first token was kept. It is kept sealed and outlives the keys that
 * seal, so that a rotation changes no hash: a token stays one row, and a push that is tried again knows which devices have it.
 *
 * **Gotchas**
 *
 * When its own key is missing, tokens can be neither registered nor removed.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { Array, DateTime, Effect, Option, Redacted } from "effect"
import { Hex } from "effect/encoding"
import { SqlClient } from "effect/sql/SqlClient"
import { KeyRing, TokenNotOpened } from "../security/KeyRing.ts"
import type { Sealed } from "../security/KeyRing.ts"
import { hashOf } from "../security/TokenCipher.ts"
import { timestamp } from "./SqlValues.ts"

const purpose = "device token hash key"

interface KeyRow {
  readonly sealed: Uint8Array
  readonly key_id: string
}

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const ring = yield* KeyRing
  let held: Redacted.Redacted<Uint8Array> | undefined

  const find = Effect.map(sql<KeyRow>`select sealed, key_id from sealed_keys where purpose = ${purpose}`, (rows) =>
    Option.map(Array.head(rows), (row): Sealed => ({ keyId: row.key_id, bytes: row.sealed }))
  )

  const save = Effect.gen(function* () {
    const hex = Redacted.make(Hex.encode(Redacted.value(ring.oldestHashKey)))
    const { bytes, keyId } = yield* ring.seal(purpose, purpose, hex)
    // Another node may have been first: then its key is everybody's.
    yield* sql`
      insert into sealed_keys (purpose, sealed, key_id, created_at)
      values (${purpose}, ${bytes}, ${keyId}, ${timestamp(yield* DateTime.now)}) on conflict (purpose) do nothing`
  })

  const load = asSystem(
    Effect.gen(function* () {
      const kept = yield* find
      const sealed = Option.isSome(kept) ? kept : yield* Effect.andThen(save, find)
      if (Option.isNone(sealed)) return yield* new TokenNotOpened({ keyId: ring.sealing })
      const hex = yield* ring.open(purpose, purpose, sealed.value)
      held = Redacted.make(Uint8Array.from(Buffer.from(Redacted.value(hex), "hex")))
      return held
    })
  )

  return (tenantId: TenantId, token: string) =>
    Effect.map(held === undefined ? load : Effect.succeed(held), (key) => hashOf(key, tenantId, token))
})
