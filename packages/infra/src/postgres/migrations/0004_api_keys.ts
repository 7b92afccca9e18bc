import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/** API keys and revoked tokens. */
export const apiKeys: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  // Only hashes of the secrets are here: of the newest one, and of the one before it until `former_until`.
  yield* sql`
    create table api_keys (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      name text not null,
      role text collate "C" not null,
      scopes text[],
      created_by text not null,
      created_at timestamptz not null,
      expires_at timestamptz,
      revoked_at timestamptz,
      rotated_at timestamptz,
      version integer not null default 1,
      hash bytea not null,
      former_hash bytea,
      former_until timestamptz,
      last_used_at timestamptz,
      last_used_address text,
      primary key (tenant_id, id)
    )`
  // Who shows a key does not say whose it is.
  yield* sql`create unique index api_keys_id on api_keys (id)`

  yield* sql`
    create table revocations (
      tenant_id text collate "C" not null,
      kind text collate "C" not null,
      subject text collate "C" not null,
      before timestamptz not null,
      expires_at timestamptz not null,
      id text collate "C" not null,
      changed_at timestamptz not null,
      primary key (tenant_id, kind, subject)
    )`
  yield* sql`create index revocations_changed on revocations (changed_at, id)`
  yield* sql`create index revocations_expiry on revocations (expires_at)`
})
