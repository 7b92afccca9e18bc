/**
 * A few rows of every table, with every kind of value that a column of it can hold.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"

const awkward = `Grüße, 你好 👋🏽 "quoted", (a,b), {c}, \\back\\slash\\, 'single'\n\ttab \u0001 end`

export const fillAll = (sql: SqlClient) =>
  Effect.gen(function* () {
    yield* sql`insert into mailboxes (tenant_id, user_id, epoch, floor_seq, rev, acknowledged_seq, created_at) values
      ('default', 'zoë', 'e1', 0, 3, 2, '2026-03-01 12:00:00.123Z'), ('default', 'Alice', 'e2', 9007199254740993, 0, 0, '1999-12-31 23:59:59.999999Z'),
      ('Other', 'alice', 'e3', 0, 0, 0, now())`
    yield* sql`
      insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, data, push, dedupe_key, source, created_at, read_at, deleted_at, rev) values
      ('default', 'zoë', 1, 'n1', 't', ${awkward}, '', 'high', ${JSON.stringify({ deep: [1, null, { text: awkward }], big: 1e300 })}::text::jsonb,
        'always', ${awkward}, 'source', '2026-03-01 12:00:00.001Z', '2026-03-01 12:00:00.999Z', '2026-03-02Z', 3),
      ('default', 'zoë', 2, 'n2', 't', 'NULL', 'null', 'low', 'null'::jsonb, 'never', null, null, '0044-03-15 BC', null, null, 0),
      ('default', 'zoë', 10, 'n3', 't', '', ' ', 'low', '{"b": 1, "a": 1.0, "a": 1.10}'::jsonb, 'fallback', 'NULL', '', 'infinity', null, null, 0),
      ('default', 'Alice', 9007199254740993, 'n4', 't', 'x', 'x', 'medium', null, 'fallback', null, null, now(), null, null, 9007199254740993)`
    yield* sql`
      insert into friendships (ordinal, tenant_id, id, requester_id, recipient_id, status, created_at, responded_at) values
      (41, 'default', 'f1', 'a', 'b', 'PENDING', '2026-03-01 12:00:00.5Z', null), (7, 'default', 'f2', 'c', 'd', 'ACCEPTED', now(), now())`
    yield* sql`insert into friendships (tenant_id, id, requester_id, recipient_id, status, created_at)
      select 'default', 'g' || n, 'x' || n, 'y', 'CANCELLED', now() from generate_series(1, 50) n`
    yield* sql`insert into event_outbox (topic, key, headers, value, created_at)
      select 'topic', 'key', jsonb_build_object('n', n), ${awkward} || n, now() from generate_series(1, 30) n`
    // The relay has published most of them: the sequence is far above the highest id that is left.
    yield* sql`delete from event_outbox where id > 3`
    yield* sql`insert into devices (tenant_id, user_id, platform, token_hash, token_sealed, key_id, registered_at) values
      ('default', 'zoë', 'ios', '\\x00ff', '\\x', 'k1', now()), ('default', 'zoë', 'web', '\\x01', '\\xdeadbeef00', 'k2', '2026-01-01 00:00:00.042+05:30')`
    yield* sql`insert into preferences values ('default', 'zoë', '{"channels": {}, "mutedTypes": ["ü"]}', now())`
    yield* sql`insert into users values ('default', 'zoë', 'Zoë', null, '', now()), ('default', 'bob', null, 'b@example.com', null, now())`
    yield* sql`update users set roles = array['driver', ${awkward}], time_zone = 'Europe/Berlin', phone = '+15550100' where user_id = 'bob'`
    yield* sql`update notifications set urgency = 9, plan_at = '2026-03-01 12:00:07.5Z', fallback_at = 'infinity',
      options = ${JSON.stringify({ channels: ["email"], cancelKey: awkward })}::text::jsonb where id = 'n1'`
    yield* sql`insert into deliveries (id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at,
        created_at, updated_at, attempts, claims, unreported, worker, reason, detail, digest_key, digest_open, items, progress, content, cancel_key, replay_of, resolution, resolved_at) values
      ('d1', 'default', 'zoë', 'n1', 1, 'push', '{"_tag": "User"}', 'unacknowledged', 'failed', 5, now(), now(), now(), 2, 7, 2147483647, 'node', 'http_500', ${awkward},
        null, false, 1, '["ab", "cd"]', null, ${awkward}, null, null, null),
      ('d2', 'default', null, null, null, 'webhook', '{"_tag": "Endpoint", "endpointId": "w1"}', 'always', 'dead', 1, 'infinity', now(), now(), 5, 5, 0, null, null, null,
        null, false, 0, null, ${JSON.stringify({ text: awkward })}::text::jsonb, null, 'd0', 'replayed', now()),
      ('d3', 'default', 'zoë', null, null, 'email', '{"_tag": "User"}', 'unseen', 'pending', 10, now(), now(), now(), 0, 0, 0, null, null, null,
        'type:t', true, 2, null, null, null, null, null, null)`
    yield* sql`insert into delivery_items (tenant_id, notification_id, channel, delivery_id, user_id, seq, cancel_key) values
      ('default', 'n2', 'email', 'd3', 'zoë', 2, null), ('default', 'n3', 'email', 'd3', 'zoë', 10, ${awkward})`
    yield* sql`insert into delivery_attempts (delivery_id, attempt, ordinal, provider, outcome, code, detail, duration_ms, at) values
      ('d1', 1, 0, 'fcm', 'transient', 'http_500', ${awkward}, 0.1, now()), ('d1', 1, 1, 'webpush', 'throttled', null, null, 1e15, 'infinity')`
    yield* sql`insert into delivery_events values
      ('sendgrid', ${awkward}, 'd1', null, 'delivered', 'delivered', null, now(), now()), ('twilio', 'e2', null, 'SM1', null, '', ${awkward}, now(), now())`
    yield* sql`insert into delivery_throttles values ('default', 'zoë', 'push:user', now(), now() + interval '1 hour', 2147483647)`
    yield* sql`insert into tracking_grants values
      ('default', 'o1', 'zoë', 'd1', now(), 'infinity'), ('default', ${awkward}, 'zoë', null, '1999-12-31 23:59:59.999Z', now())`
    yield* sql`insert into scheduled_notifications values
      ('default', 's1', 'zoë', ${JSON.stringify({ title: awkward })}::text::jsonb, null, ${awkward}, now(), now(), now())`
    yield* sql`insert into routing_policies values ('default', '{"defaults": {"critical": true}}', 7, now())`
    yield* sql`insert into templates values ('default', 'welcome', 2, 3, now())`
    yield* sql`insert into template_versions values ('default', 'welcome', 2, ${JSON.stringify({ texts: { default: { title: awkward } } })}::text::jsonb, now())`
    yield* sql`insert into webhook_endpoints values
      ('default', 'w1', 'https://example.com/hook', ${awkward}, array['delivery.dead', 'delivery.sent'], null, false, 'failures', now(), now()),
      ('default', 'w2', 'https://example.com', null, array['notification.created'], array['t', ${awkward}], true, null, null, now())`
    yield* sql`insert into provider_accounts values
      ('default', 'p1', 'smtp', ${awkward}, 1000, false, ${JSON.stringify({ host: awkward })}::text::jsonb, null, '\\x00ff', 'k1', 'abcdef012345', now(), 2147483647, now(), now()),
      ('Other', 'p1', 'log', 'log', 0, true, '{}', 1000000, '\\x', '', '', now(), 1, now(), now())`
    yield* sql`insert into sealed_keys values ('device token hash key', '\\x01ff', 'k1', now())`
    yield* sql`insert into webhook_secrets (tenant_id, endpoint_id, sealed, key_id, until, created_at) values
      ('default', 'w1', '\\xdeadbeef00', 'k1', now(), now()), ('default', 'w1', '\\x', 'k2', null, now())`
    yield* sql`insert into tenants values
      ('default', ${awkward}, 'active', '{"time_zone": "Europe/Berlin"}', 3, now(), now(), null),
      ('gone', 'gone', 'suspended', '{}', 2147483647, '1999-12-31 23:59:59.999Z', 'infinity', now())`
    yield* sql`insert into tenant_secrets values ('default', 'user_service', '\\x00ff', 'k1', now())`
    yield* sql.unsafe(
      String.raw`insert into audit_log values
        ('default', '0198', now(), 'user', 'zoë', array['admin', ''], 'template.put', $1, '::1', null, null, '{ "z": "\u0000" }'),
        ('default', '0199', 'infinity', 'system', 'seeds', '{}', 'lookup.put', 'lookup/kind/code', null, $1, 'null', '1.0')`,
      [awkward]
    )
    yield* sql`insert into idempotency_keys values
      ('default', 'user:zoë', ${awkward}, 'ab', 'c1', null, null, now()), ('default', 'key:k', '1', 'cd', 'c2', '\\x00ff', 'k1', 'infinity')`
    yield* sql`insert into lookups values
      ('', 'channels', 'email', '{"en": "Email"}', '{}', true, 2, 1, now()),
      ('default', 'channels', 'email', ${JSON.stringify({ de: awkward })}::text::jsonb, '{"order": 1.0}', false, -1, null, now())`
    yield* sql`insert into api_keys values
      ('default', 'k1', ${awkward}, 'service', array['events:write', ''], 'zoë', now(), 'infinity', null, now(), 2, '\\x00ff', '\\x', '1999-12-31 23:59:59.999999Z', now(), '::1'),
      ('Other', 'k2', 'key', 'admin', null, 'k1', now(), null, now(), null, 1, '\\xdeadbeef', null, null, null, null)`
    yield* sql`insert into revocations values
      ('default', 'user', ${awkward}, now(), '2999-12-31Z', '0198', now()), ('default', 'token', 'zoë', now(), now(), '0199', '2026-03-01 12:00:00.123456Z')`
    yield* sql`insert into batches (
        tenant_id, id, kind, state, active, name, content, send_at, details, request_id, digest, total, failed, kept_errors, chunks, highest_chunk,
        last_chunk, reason, created_by, correlation_id, created_at, updated_at, finished_at, served_at, expires_at) values
      ('default', 'b1', 'chunks', 'running', true, ${awkward}, ${JSON.stringify({ title: awkward })}::text::jsonb, '2999-12-31Z', null, ${awkward}, 'ab',
        9007199254740993, 0, 0, 2147483647, 2147483647, null, null, 'zoë', null, now(), now(), null, now(), now()),
      ('default', 'b2', 'csv', 'failed', false, null, '{}', null, '{"columns": 1.0}', null, '', 0, 1, 1, 0, 0, 0, ${awkward}, '', 'c-1', now(), now(), now(), now(), null)`
    yield* sql`insert into batch_chunks values
      ('default', 'b1', 1, 'ab', ${JSON.stringify([{ row: 1, userId: awkward }])}::text::jsonb, 1, 0, now(), 2, true, 'node', now()),
      ('default', 'b1', 2147483647, 'cd', null, 1, 1, null, 1, false, null, null)`
    yield* sql`insert into batch_errors values
      ('default', 'b2', 9007199254740993, 'zoë', 'variables.name', ${awkward}, ${JSON.stringify(["a", awkward])}::text::jsonb),
      ('default', 'b2', 1, null, '', '', null)`
    // json keeps the text as it is: white space, the order of names, and an escaped NUL that jsonb refuses.
    yield* sql.unsafe(String.raw`insert into dead_letters (topic, tenant_id, letter, created_at)
      values ('topic', 'default', '{ "z": "\u0000 \ud800",  "a": 1 }', now()), ('topic', null, '{}', now())`)
  })
