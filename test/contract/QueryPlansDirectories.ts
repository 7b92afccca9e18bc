/**
 * The statements of the stores of users, devices, routing, templates and webhook endpoints, over tables of a real size.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import * as SqlResealing from "@beckon/infra/postgres/SqlResealing"
import { Array, Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { hoursAfterNoon, noon, user } from "./Fixtures.ts"

/** `rows` of every table; every tenth endpoint has a former secret. Nearly all users of the tenant `planned0` are customers. */
export const seedDirectories = Effect.fnUntraced(function* (tenantId: TenantId, rows: number) {
  const sql = yield* SqlClient
  yield* sql`
    insert into users (tenant_id, user_id, roles, updated_at)
    select ${tenantId} || 0, 'user-' || n, case when n % 5000 = 0 then '{driver,active}' else '{customer}' end::text[], now()
    from generate_series(1, ${rows}) n`
  yield* sql`
    insert into routing_policies select ${tenantId} || n, '{}', 1, now() from generate_series(1, ${rows}) n`
  yield* sql`
    insert into templates select ${tenantId} || n % 50, 'code-' || n, 1, 1, now() from generate_series(1, ${rows}) n`
  yield* sql`
    insert into template_versions
    select ${tenantId} || n % 50, 'code-' || n, 1, '{"texts":{}}', now() from generate_series(1, ${rows}) n`
  yield* sql`
    insert into webhook_endpoints (tenant_id, id, url, events, failing_since, created_at)
    select ${tenantId} || n / 5, 'endpoint-' || n, 'https://a.example', '{notification.created}',
      case when n % 20 = 0 then now() end, now() from generate_series(1, ${rows}) n`
  yield* sql`
    insert into webhook_secrets (tenant_id, endpoint_id, sealed, key_id, until, created_at)
    select ${tenantId} || n / 5, 'endpoint-' || n, ''::bytea, 'other', case when n % 10 = 0 then now() end, now()
    from generate_series(1, ${rows}) n`
  yield* sql`
    insert into provider_accounts
    select ${tenantId} || n / 5, 'account-' || n, 'log', 'log', 0, true, '{}', null, ''::bytea, 'other', '', now(), 1, now(), now()
    from generate_series(1, ${rows}) n`
})

const useUsers = Effect.fnUntraced(function* ({ tenantId, userId }: MailboxKey) {
  const directory = yield* UserDirectory
  const ids = Array.range(1, 500).map((n) => user(`user-${n * 7}`))
  yield* directory.create(tenantId, user("new"), { name: "New" }, noon)
  yield* directory.update(tenantId, user("new"), { email: null }, noon)
  yield* directory.find(tenantId, ids)
  yield* directory.list(tenantId, { limit: 100 })
  yield* directory.list(tenantId, { role: "driver", afterUserId: userId, limit: 100 })
  yield* directory.remove(tenantId, user("new"))
})

const useDevices = Effect.fnUntraced(function* ({ tenantId }: MailboxKey) {
  const devices = yield* DeviceStore
  yield* devices.listAll(Array.range(1, 500).map((n) => ({ tenantId, userId: user(`user-${n * 7}`) })))
  yield* devices.removeDead(
    tenantId,
    Array.range(1, 500).map((n) => `token-${n}`)
  )
})

const usePolicies = Effect.fnUntraced(function* ({ tenantId }: MailboxKey) {
  const policies = yield* RoutingPolicyStore
  yield* policies.get(tenantId)
  yield* policies.set(tenantId, {})
  yield* policies.set(tenantId, {}, 1)
  yield* Effect.flip(policies.set(tenantId, {}, 0))
})

const useTemplates = Effect.fnUntraced(function* ({ tenantId }: MailboxKey) {
  const templates = yield* TemplateStore
  const input = { texts: { default: { title: "Title", message: "Message" } } }
  yield* templates.put(tenantId, "new", input, true, noon)
  yield* templates.get(tenantId, "new")
  yield* templates.get(tenantId, "new", 1)
  yield* templates.list(tenantId, { limit: 100 })
  yield* templates.versions(tenantId, "new")
  yield* templates.activate(tenantId, "new", 1, noon)
  yield* templates.remove(tenantId, "new")
})

const useEndpoints = Effect.fnUntraced(function* ({ tenantId }: MailboxKey) {
  const endpoints = yield* WebhookEndpointStore
  const secret = Redacted.make("whsec_c2VjcmV0")
  yield* endpoints.create(tenantId, "new", { url: "https://a.example" }, secret, noon)
  yield* endpoints.list(tenantId)
  yield* endpoints.get(tenantId, "new")
  yield* endpoints.update(tenantId, "new", { types: ["order_created"] })
  yield* endpoints.secrets(tenantId, "new", noon)
  yield* endpoints.rotate(tenantId, "new", secret, hoursAfterNoon(1), noon)
  yield* endpoints.noteOutcome(tenantId, "new", false, noon, hoursAfterNoon(-1))
  yield* endpoints.noteOutcome(tenantId, "new", true, noon, hoursAfterNoon(-1))
  yield* endpoints.remove(tenantId, "new")
})

const useAccounts = Effect.fnUntraced(function* ({ tenantId }: MailboxKey) {
  const accounts = yield* ProviderAccountStore
  const credentials = Redacted.make("{}")
  const account = { kind: "log", name: "log", order: 0, enabled: true, settings: {}, rate: null, credentials } as const
  yield* accounts.create(tenantId, "new", account, noon)
  yield* accounts.list(tenantId)
  yield* accounts.get(tenantId, "new")
  yield* accounts.credentials(tenantId, "new")
  yield* accounts.update(tenantId, "new", { enabled: false, credentials }, noon)
  yield* accounts.remove(tenantId, "new")
})

/** Sealed under another key, which nothing opens: a rotation reads all of them. */
const useRotation = SqlResealing.reseal()

/** Calls everything that these stores can do. */
export const useDirectories = Effect.fnUntraced(function* (key: MailboxKey) {
  yield* useUsers(key)
  yield* useDevices(key)
  yield* usePolicies(key)
  yield* useTemplates(key)
  yield* useEndpoints(key)
  yield* useAccounts(key)
  yield* useRotation
})
