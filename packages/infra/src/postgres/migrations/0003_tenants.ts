import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/**
 * Tenants that were set up, their secrets, the audit log, and lookups.
 *
 * **Details**
 *
 * A removed tenant keeps its row (`removed_at`): without one it would have the defaults, and be active. The rows of `lookups`
 * with an empty `tenant_id`, which no tenant has, are the deployment's.
 */
export const tenants: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  yield* sql`
    create table tenants (
      tenant_id text collate "C" not null,
      name text not null,
      status text collate "C" not null check (status in ('active', 'suspended')),
      settings jsonb not null,
      version integer not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      removed_at timestamptz,
      primary key (tenant_id)
    )`
  yield* sql`create index tenants_listed on tenants (tenant_id) where removed_at is null`
  yield* sql`create index tenants_status on tenants (status, tenant_id) where removed_at is null`

  // Sealed like the secrets of webhook endpoints, and bound to their tenant and their name.
  yield* sql`
    create table tenant_secrets (
      tenant_id text collate "C" not null,
      name text collate "C" not null,
      sealed bytea not null,
      key_id text collate "C" not null,
      updated_at timestamptz not null,
      primary key (tenant_id, name)
    )`

  // json, not jsonb: what callers sent may hold an escaped NUL, and the log refuses nothing.
  yield* sql`
    create table audit_log (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      at timestamptz not null,
      actor_kind text collate "C" not null check (actor_kind in ('user', 'key', 'system')),
      actor_id text collate "C" not null,
      actor_roles text[] not null,
      action text collate "C" not null,
      target text collate "C" not null,
      address text collate "C",
      correlation_id text collate "C",
      before json,
      after json,
      primary key (tenant_id, id)
    )`
  yield* sql`create index audit_log_action on audit_log (tenant_id, action, id)`
  yield* sql`create index audit_log_actor on audit_log (tenant_id, actor_id, id)`
  yield* sql`create index audit_log_target on audit_log (tenant_id, target, id)`
  yield* sql`create index audit_log_at on audit_log (tenant_id, at, id)`

  // Whoever the role is, also the owner: an entry can be thrown away by age, and never be another one.
  yield* sql`
    create function beckon_audit_log_is_final() returns trigger language plpgsql as $body$
    begin
      raise exception 'entries of the audit log are not changed' using errcode = 'insufficient_privilege';
    end $body$`
  yield* sql`
    create trigger audit_log_is_final before update on audit_log
    for each row execute function beckon_audit_log_is_final()`

  // seed: the revision of the seeds that wrote the row; null once somebody has changed it.
  yield* sql`
    create table lookups (
      tenant_id text collate "C" not null,
      kind text collate "C" not null,
      code text collate "C" not null,
      labels jsonb not null,
      attributes jsonb not null,
      active boolean not null,
      position integer not null,
      seed integer,
      updated_at timestamptz not null,
      primary key (tenant_id, kind, code)
    )`
})
