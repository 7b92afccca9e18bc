import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/**
 * Calls under an `Idempotency-Key`, and their answers.
 *
 * **Details**
 *
 * `expires_at` is the end of the claim while `sealed` is null, and the end of the kept answer afterwards: from then on the row is as
 * good as none.
 */
export const idempotency: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  yield* sql`
    create table idempotency_keys (
      tenant_id text collate "C" not null,
      caller text collate "C" not null,
      key text collate "C" not null,
      fingerprint text collate "C" not null,
      claim text collate "C" not null,
      sealed bytea,
      key_id text collate "C",
      expires_at timestamptz not null,
      primary key (tenant_id, caller, key)
    )`
  yield* sql`create index idempotency_keys_expires on idempotency_keys (expires_at)`
})
