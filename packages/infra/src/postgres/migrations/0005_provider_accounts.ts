import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/**
 * Accounts with senders of tenants, and keys that are kept sealed.
 *
 * **Details**
 *
 * No credential is here in the clear: AES-256-GCM, bound to its tenant and account. `sealed_keys` has what must outlive the keys of
 * `BECKON_KEYS`: the key under which device tokens are found again.
 */
export const providerAccounts: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  yield* sql`
    create table provider_accounts (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      kind text collate "C" not null,
      name text not null,
      position integer not null,
      enabled boolean not null,
      settings jsonb not null,
      rate integer,
      sealed bytea not null,
      key_id text collate "C" not null,
      fingerprint text collate "C" not null,
      sealed_at timestamptz not null,
      version integer not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, id)
    )`

  yield* sql`
    create table sealed_keys (
      purpose text collate "C" primary key,
      sealed bytea not null,
      key_id text collate "C" not null,
      created_at timestamptz not null
    )`
})
