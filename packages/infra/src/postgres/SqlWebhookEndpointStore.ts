/**
 * Webhook endpoints in PostgreSQL, their secrets sealed by `TokenCipher`.
 *
 * **Details**
 *
 * The row of `webhook_endpoints` is the lock of its secrets: `rotate` and `remove` take it first and look at the secrets in a
 * second statement, which sees those that came while they waited. So one secret at a time has no end.
 *
 * **Gotchas**
 *
 * A former secret that does not open any more is left out, so that an endpoint whose deployment got another secret works again
 * after one rotation. When none opens, `secrets` fails.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import type { WebhookEndpoint, WebhookEvent, WebhookSecret } from "@beckon/domain/WebhookEndpoint"
import { Array, DateTime, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TokenCipher } from "../security/TokenCipher.ts"
import * as LoggedOnce from "./LoggedOnce.ts"
import { texts, timestamp, toUtcOrNull } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface EndpointRow {
  readonly id: string
  readonly tenant_id: TenantId
  readonly url: string
  readonly description: string | null
  readonly events: ReadonlyArray<WebhookEvent>
  readonly types: ReadonlyArray<string> | null
  readonly enabled: boolean
  readonly disabled_reason: string | null
  readonly failing_since: Date | null
  readonly created_at: Date
}

interface SecretRow {
  readonly sealed: Uint8Array
  readonly key_id: string
  readonly until: Date | null
}

const columns =
  "e.id, e.tenant_id, e.url, e.description, e.events, e.types, e.enabled, e.disabled_reason, e.failing_since, e.created_at"

const toEndpoint = (row: EndpointRow): WebhookEndpoint => ({
  id: row.id,
  tenantId: row.tenant_id,
  url: row.url,
  description: row.description,
  events: row.events,
  types: row.types,
  enabled: row.enabled,
  disabledReason: row.disabled_reason,
  failingSince: toUtcOrNull(row.failing_since),
  createdAt: DateTime.fromDateUnsafe(row.created_at)
})

const textsOrNull = (values: ReadonlyArray<string> | undefined) => (values === undefined ? null : texts(values))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const cipher = yield* TokenCipher
  const once = LoggedOnce.make()
  const all = sql.literal(columns)

  /** The endpoint's own row, of a table named `e`. */
  const isOne = (tenantId: TenantId, id: string) => sql`e.tenant_id = ${tenantId} and e.id = ${id}`
  const areOf = (tenantId: TenantId, id: string) => sql`s.tenant_id = ${tenantId} and s.endpoint_id = ${id}`

  return WebhookEndpointStore.of({
    create: Effect.fn("WebhookEndpointStore.create")(function* (tenantId, id, endpoint, secret, now) {
      const sealed = yield* cipher.sealSecret(tenantId, id, secret)
      const at = timestamp(now)
      const created: WebhookEndpoint = {
        id,
        tenantId,
        url: endpoint.url,
        description: endpoint.description ?? null,
        events: endpoint.events ?? ["notification.created"],
        types: endpoint.types ?? null,
        enabled: true,
        disabledReason: null,
        failingSince: null,
        createdAt: now
      }
      yield* sql`
        with created as (
          insert into webhook_endpoints (tenant_id, id, url, description, events, types, created_at)
          values (${tenantId}, ${id}, ${created.url}, ${created.description}, ${texts(created.events)}::text[],
            ${textsOrNull(endpoint.types)}::text[], ${at})
        )
        insert into webhook_secrets (tenant_id, endpoint_id, sealed, key_id, created_at)
        values (${tenantId}, ${id}, ${sealed.bytes}, ${sealed.keyId}, ${at})`
      return created
    }, unavailable("WebhookEndpointStore.create")),

    list: Effect.fn("WebhookEndpointStore.list")(function* (tenantId) {
      const rows = yield* sql<EndpointRow>`
        select ${all} from webhook_endpoints e where e.tenant_id = ${tenantId} order by e.created_at, e.id`
      return rows.map(toEndpoint)
    }, unavailable("WebhookEndpointStore.list")),

    get: Effect.fn("WebhookEndpointStore.get")(function* (tenantId, id) {
      const rows = yield* sql<EndpointRow>`select ${all} from webhook_endpoints e where ${isOne(tenantId, id)}`
      return Option.map(Array.head(rows), toEndpoint)
    }, unavailable("WebhookEndpointStore.get")),

    update: Effect.fn("WebhookEndpointStore.update")(function* (tenantId, id, change) {
      // The case of an endpoint that is off already keeps its reason: switching it off again says nothing new.
      const rows = yield* sql<EndpointRow>`
        update webhook_endpoints e set
          url = coalesce(${change.url ?? null}::text, e.url),
          description = coalesce(${change.description ?? null}::text, e.description),
          events = coalesce(${textsOrNull(change.events)}::text[], e.events),
          types = coalesce(${textsOrNull(change.types)}::text[], e.types),
          enabled = coalesce(k.enabled, e.enabled),
          disabled_reason = case
            when k.enabled then null
            when not k.enabled and e.enabled then ${change.disabledReason ?? "admin"}
            else e.disabled_reason end,
          failing_since = case when k.enabled then null else e.failing_since end
        from (select ${change.enabled ?? null}::boolean as enabled) k
        where ${isOne(tenantId, id)}
        returning ${all}`
      return Option.map(Array.head(rows), toEndpoint)
    }, unavailable("WebhookEndpointStore.update")),

    remove: Effect.fn("WebhookEndpointStore.remove")(function* (tenantId, id) {
      const removed = Effect.gen(function* () {
        const rows = yield* sql`delete from webhook_endpoints e where ${isOne(tenantId, id)} returning 1`
        if (rows.length > 0) yield* sql`delete from webhook_secrets s where ${areOf(tenantId, id)}`
        return rows.length > 0
      })
      return yield* sql.withTransaction(removed)
    }, unavailable("WebhookEndpointStore.remove")),

    secrets: Effect.fn("WebhookEndpointStore.secrets")(function* (tenantId, id, now) {
      const rows = yield* sql<SecretRow>`
        select s.sealed, s.key_id, s.until from webhook_secrets s
        where ${areOf(tenantId, id)} and (s.until is null or s.until > ${timestamp(now)})
        order by s.id desc`
      const opened = yield* Effect.forEach(rows, (row) =>
        cipher.openSecret(tenantId, id, { keyId: row.key_id, bytes: row.sealed }).pipe(
          Effect.map((secret): WebhookSecret => ({ secret, until: toUtcOrNull(row.until) })),
          Effect.result
        )
      )
      const [secrets, failures] = Array.separate(opened)
      const [failure] = failures
      if (failure === undefined) return secrets
      // Without any secret a call would go out unsigned.
      if (secrets.length === 0) return yield* failure
      yield* once(`${tenantId}\u0000${id}`, "Secrets of a webhook endpoint are left out", {
        reason: failure.message,
        tenantId,
        endpointId: id
      })
      return secrets
    }, unavailable("WebhookEndpointStore.secrets")),

    rotate: Effect.fn("WebhookEndpointStore.rotate")(function* (tenantId, id, secret, until, now) {
      const sealed = yield* cipher.sealSecret(tenantId, id, secret)
      const [end, at] = [timestamp(until), timestamp(now)]
      const rotated = Effect.gen(function* () {
        const locked = yield* sql`select 1 from webhook_endpoints e where ${isOne(tenantId, id)} for update`
        if (locked.length === 0) return false
        // The update and the delete see the secrets that were there before, and each of them another part.
        yield* sql`
          with forgotten as (
            delete from webhook_secrets s where ${areOf(tenantId, id)} and s.until <= ${at}
          ), former as (
            update webhook_secrets s set until = least(s.until, ${end}::timestamptz)
            where ${areOf(tenantId, id)} and (s.until is null or s.until > ${at})
          )
          insert into webhook_secrets (tenant_id, endpoint_id, sealed, key_id, created_at)
          values (${tenantId}, ${id}, ${sealed.bytes}, ${sealed.keyId}, ${at})`
        return true
      })
      return yield* sql.withTransaction(rotated)
    }, unavailable("WebhookEndpointStore.rotate")),

    noteOutcome: Effect.fn("WebhookEndpointStore.noteOutcome")(function* (tenantId, id, succeeded, now, disableBefore) {
      if (succeeded) {
        // Nearly every call succeeds after one that did: those write nothing.
        yield* sql`
          update webhook_endpoints e set failing_since = null
          where ${isOne(tenantId, id)} and e.failing_since is not null`
        return false
      }
      // Whoever waits for the row reads it anew: it has been switched off, or it fails since just now, and nothing is left to do.
      const rows = yield* sql<{ readonly enabled: boolean }>`
        update webhook_endpoints e set
          failing_since = coalesce(e.failing_since, k.now),
          enabled = coalesce(e.failing_since, k.now) >= k.disable_before,
          disabled_reason = case when coalesce(e.failing_since, k.now) < k.disable_before then 'failures' end
        from (select ${timestamp(now)}::timestamptz as now, ${timestamp(disableBefore)}::timestamptz as disable_before) k
        where ${isOne(tenantId, id)} and e.enabled
          and (e.failing_since is null or e.failing_since < k.disable_before)
        returning e.enabled`
      return rows[0]?.enabled === false
    }, unavailable("WebhookEndpointStore.noteOutcome"))
  })
})

export const layer: Layer.Layer<WebhookEndpointStore, never, SqlClient | TokenCipher> = Layer.effect(
  WebhookEndpointStore,
  make
)
