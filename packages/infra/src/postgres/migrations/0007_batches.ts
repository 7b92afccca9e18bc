import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/**
 * Batches: what is sent to many, in chunks.
 *
 * **Details**
 *
 * `batches.active` says that workers may find something in it: it is running, or cancelled with a chunk that is to be settled.
 * `batch_chunks.due_at` is the one time that workers look at: the first try, the next try, and the end of a lease; `claims` is
 * the fence. `mark` is how many of the chunk's rows are reported, and `uncertain` that more may be sent. A closed chunk keeps its digest, so that a repeated call is
 * known; its rows are gone.
 */
export const batches: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  yield* sql`
    create table batches (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      kind text collate "C" not null check (kind in ('batch', 'chunks', 'csv')),
      state text collate "C" not null check (state in ('open', 'running', 'paused', 'completed', 'cancelled', 'failed')),
      active boolean not null,
      name text,
      content jsonb not null,
      send_at timestamptz,
      details jsonb,
      request_id text collate "C",
      digest text collate "C" not null,
      total bigint not null default 0,
      pending bigint not null default 0,
      accepted bigint not null default 0,
      duplicates bigint not null default 0,
      failed bigint not null default 0,
      invalid bigint not null default 0,
      cancelled bigint not null default 0,
      kept_errors integer not null default 0,
      chunks integer not null default 0,
      closed_chunks integer not null default 0,
      highest_chunk integer not null default 0,
      last_chunk integer,
      reason text,
      created_by text collate "C" not null,
      correlation_id text collate "C",
      created_at timestamptz not null,
      updated_at timestamptz not null,
      finished_at timestamptz,
      served_at timestamptz not null,
      expires_at timestamptz,
      primary key (tenant_id, id)
    )`
  yield* sql`
    create unique index batches_request on batches (tenant_id, request_id) where request_id is not null`
  // What is unfinished is little: these stay small, however many batches are kept.
  yield* sql`create index batches_active on batches (tenant_id, served_at) where active`
  yield* sql`create index batches_expiring on batches (expires_at) where expires_at is not null`

  yield* sql`
    create table batch_chunks (
      tenant_id text collate "C" not null,
      batch_id text collate "C" not null,
      number integer not null,
      digest text collate "C" not null,
      rows jsonb,
      row_count integer not null,
      mark integer not null default 0,
      due_at timestamptz,
      claims integer not null default 0,
      uncertain boolean not null default false,
      worker text collate "C",
      tried_since timestamptz,
      primary key (tenant_id, batch_id, number)
    )`
  // `due_at` is null where the chunk is closed.
  yield* sql`
    create index batch_chunks_due on batch_chunks (tenant_id, batch_id, due_at, number) where due_at is not null`

  yield* sql`
    create table batch_errors (
      tenant_id text collate "C" not null,
      batch_id text collate "C" not null,
      row_number bigint not null,
      user_id text collate "C",
      field text collate "C" not null,
      message text not null,
      raw jsonb,
      primary key (tenant_id, batch_id, row_number)
    )`

  // What became of a batch is counted from these alone; they hold nothing else.
  yield* sql`
    create index notifications_batch on notifications (tenant_id, (options ->> 'cancelKey')) include (read_at)
    where options ->> 'cancelKey' like 'batch:%'`
  yield* sql`
    create index deliveries_batch on deliveries (tenant_id, cancel_key) include (channel, state)
    where cancel_key like 'batch:%'`
})
