import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/**
 * Deliveries beyond the socket, and what they need: routing, templates, webhook endpoints, how users are reached.
 *
 * **Details**
 *
 * `notifications.plan_at` is the outbox of deliveries: it is written with the notification and cleared with its deliveries.
 * `deliveries.due_at` is the one time that workers look at: the first try, the next try, and the end of a lease. `claims` is the
 * fence: it only rises, so that no report is taken for that of another claim. `attempts` is the number that people see.
 */
export const deliveries: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  // `fallback_at` is null where it is `created_at`: most rows are spared eight bytes.
  yield* sql`
    alter table notifications
      add column urgency smallint not null default 5,
      add column options jsonb,
      add column plan_at timestamptz,
      add column fallback_at timestamptz`
  yield* sql`create index notifications_plan on notifications (plan_at) where plan_at is not null`
  yield* sql`
    create index notifications_cancel on notifications (tenant_id, (options ->> 'cancelKey'))
    where plan_at is not null and options ->> 'cancelKey' is not null`

  yield* sql`
    create table deliveries (
      id text collate "C" primary key,
      tenant_id text collate "C" not null,
      user_id text collate "C",
      notification_id text collate "C",
      seq bigint,
      channel text collate "C" not null check (channel in ('push', 'email', 'sms', 'whatsapp', 'webhook')),
      target jsonb not null,
      condition text collate "C" not null check (condition in ('always', 'unacknowledged', 'unseen')),
      state text collate "C" not null check (state in
        ('pending', 'sending', 'failed', 'sent', 'delivered', 'seen', 'dead', 'skipped', 'cancelled')),
      urgency smallint not null check (urgency between 1 and 10),
      due_at timestamptz not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      attempts integer not null default 0,
      claims integer not null default 0,
      unreported integer not null default 0,
      failures integer not null default 0,
      first_claimed_at timestamptz,
      worker text collate "C",
      provider text collate "C",
      provider_message_id text collate "C",
      reason text collate "C",
      detail text,
      digest_key text collate "C",
      digest_open boolean not null default false,
      items integer not null default 1,
      progress jsonb,
      content jsonb,
      cancel_key text collate "C",
      replay_of text collate "C",
      resolution text collate "C" check (resolution in ('replayed', 'discarded')),
      resolved_at timestamptz
    )`
  // What is due, gathers, can be cancelled or is dead is little: those indexes stay small, however many deliveries are kept.
  yield* sql`create index deliveries_notification on deliveries (tenant_id, notification_id) where notification_id is not null`
  yield* sql`
    create index deliveries_due on deliveries (channel, urgency, due_at) where state in ('pending', 'sending', 'failed')`
  yield* sql`
    create unique index deliveries_digest on deliveries (tenant_id, user_id, channel, digest_key) where digest_open`
  yield* sql`
    create index deliveries_cancel on deliveries (tenant_id, cancel_key)
    where cancel_key is not null and state in ('pending', 'sending', 'failed')`
  yield* sql`create index deliveries_dead on deliveries (tenant_id, id) where state = 'dead' and resolution is null`
  // What is included lets the states of a tenant be counted from the index alone.
  yield* sql`create index deliveries_tenant on deliveries (tenant_id, id) include (channel, state)`
  yield* sql`create index deliveries_user on deliveries (tenant_id, user_id, id) where user_id is not null`
  yield* sql`create index deliveries_gathered on deliveries (id) where digest_key is not null`
  yield* sql`
    create index deliveries_endpoint on deliveries (tenant_id, (target ->> 'endpointId'), id)
    where target ->> 'endpointId' is not null`
  yield* sql`
    create index deliveries_provider on deliveries (provider, provider_message_id)
    where provider_message_id is not null`

  // A notification is in one digest of a channel, and in it once: the primary key says so.
  yield* sql`
    create table delivery_items (
      tenant_id text collate "C" not null,
      notification_id text collate "C" not null,
      channel text collate "C" not null,
      delivery_id text collate "C" not null,
      user_id text collate "C" not null,
      seq bigint not null,
      cancel_key text collate "C",
      primary key (tenant_id, notification_id, channel)
    )`
  yield* sql`create index delivery_items_delivery on delivery_items (delivery_id, seq)`
  yield* sql`
    create index delivery_items_cancel on delivery_items (tenant_id, cancel_key) where cancel_key is not null`

  // The key makes a report that is repeated, because its answer was lost, one report.
  yield* sql`
    create table delivery_attempts (
      delivery_id text collate "C" not null,
      attempt integer not null,
      ordinal integer not null,
      provider text collate "C" not null,
      outcome text collate "C" not null,
      code text collate "C",
      detail text,
      duration_ms double precision not null,
      at timestamptz not null,
      primary key (delivery_id, attempt, at, ordinal)
    )`

  // `delivery_id` is null until the message that the provider speaks of is known.
  yield* sql`
    create table delivery_events (
      provider text collate "C" not null,
      event_key text collate "C" not null,
      delivery_id text collate "C",
      provider_message_id text collate "C",
      state text collate "C",
      code text collate "C" not null,
      detail text,
      at timestamptz not null,
      received_at timestamptz not null,
      primary key (provider, event_key)
    )`
  yield* sql`create index delivery_events_delivery on delivery_events (delivery_id, at) where delivery_id is not null`
  yield* sql`
    create index delivery_events_waiting on delivery_events (provider, provider_message_id) where delivery_id is null`
  yield* sql`create index delivery_events_received on delivery_events (received_at) where delivery_id is null`

  yield* sql`
    create table delivery_throttles (
      tenant_id text collate "C" not null,
      user_id text collate "C" not null,
      key text collate "C" not null,
      window_start timestamptz not null,
      window_end timestamptz not null,
      count integer not null,
      primary key (tenant_id, user_id, key, window_start, window_end)
    )`
  yield* sql`create index delivery_throttles_end on delivery_throttles (window_end)`

  yield* sql`
    create table scheduled_notifications (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      user_id text collate "C" not null,
      draft jsonb not null,
      dedupe_key text collate "C",
      cancel_key text collate "C",
      send_at timestamptz not null,
      due_at timestamptz not null,
      created_at timestamptz not null,
      primary key (id)
    )`
  yield* sql`create index scheduled_notifications_due on scheduled_notifications (due_at, id)`
  yield* sql`
    create index scheduled_notifications_cancel on scheduled_notifications (tenant_id, cancel_key)
    where cancel_key is not null`
  yield* sql`
    create unique index scheduled_notifications_dedupe on scheduled_notifications (tenant_id, user_id, dedupe_key)
    where dedupe_key is not null`

  yield* sql`
    create table routing_policies (
      tenant_id text collate "C" primary key,
      policy jsonb not null,
      version integer not null,
      updated_at timestamptz not null
    )`

  yield* sql`
    create table templates (
      tenant_id text collate "C" not null,
      code text collate "C" not null,
      active_version integer,
      latest_version integer not null,
      updated_at timestamptz not null,
      primary key (tenant_id, code)
    )`
  yield* sql`
    create table template_versions (
      tenant_id text collate "C" not null,
      code text collate "C" not null,
      version integer not null,
      template jsonb not null,
      created_at timestamptz not null,
      primary key (tenant_id, code, version)
    )`

  yield* sql`
    create table webhook_endpoints (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      url text not null,
      description text,
      events text[] not null,
      types text[],
      enabled boolean not null default true,
      disabled_reason text,
      failing_since timestamptz,
      created_at timestamptz not null,
      primary key (tenant_id, id)
    )`
  // No secret is here in the clear: AES-256-GCM, bound to its tenant and endpoint.
  yield* sql`
    create table webhook_secrets (
      id bigint generated by default as identity primary key,
      tenant_id text collate "C" not null,
      endpoint_id text collate "C" not null,
      sealed bytea not null,
      key_id text collate "C" not null,
      until timestamptz,
      created_at timestamptz not null
    )`
  yield* sql`create index webhook_secrets_endpoint on webhook_secrets (tenant_id, endpoint_id, id)`

  yield* sql`
    alter table users
      add column phone text,
      add column language text collate "C",
      add column time_zone text collate "C",
      add column roles text[] not null default '{}'`
  yield* sql`create index users_roles on users using gin (roles)`
})
