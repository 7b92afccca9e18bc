/**
 * The statements of the stores of tenants, their secrets, the audit log and lookups, over tables of a real size.
 */
import { TenantId } from "@beckon/domain/Identifiers"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { LookupStore } from "@beckon/domain/ports/LookupStore"
import { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { hoursAfterNoon, noon } from "./Fixtures.ts"

/** `rows` of every table; a tenth of the tenants is suspended. */
export const seedTenants = Effect.fnUntraced(function* (tenantId: TenantId, rows: number) {
  const sql = yield* SqlClient
  yield* sql`
    insert into tenants
    select ${tenantId} || n, 'Name', case when n % 10 = 0 then 'suspended' else 'active' end, '{}', 1, now(), now(), null
    from generate_series(1, ${rows}) n`
  yield* sql`
    insert into tenant_secrets select ${tenantId} || n, 'user_service', ''::bytea, 'other', now()
    from generate_series(1, ${rows}) n`
  yield* sql`
    insert into audit_log (tenant_id, id, at, actor_kind, actor_id, actor_roles, action, target)
    select ${tenantId} || n % 20, 'entry-' || n, '2026-03-01'::timestamptz + n * interval '1 second', 'user',
      'user-' || n % 500, '{admin}', 'action-' || n % 50, 'target-' || n % 1000
    from generate_series(1, ${rows}) n`
  yield* sql`
    insert into lookups
    select ${tenantId} || n % 500, 'kind-' || n % 10, 'code-' || n, '{}', '{}', true, 0, 1, now()
    from generate_series(1, ${rows}) n`
})

const useTenantRows = Effect.fnUntraced(function* (id: TenantId) {
  const tenants = yield* TenantStore
  const secrets = yield* TenantSecretStore
  yield* tenants.create({ id, name: "New", settings: {} }, noon)
  yield* tenants.get(id)
  yield* tenants.list({ limit: 100 })
  yield* tenants.list({ status: "suspended", afterId: id, limit: 100 })
  yield* tenants.update(id, { name: "Other" }, undefined, noon)
  yield* tenants.update(id, { status: "suspended" }, 7, noon)
  yield* tenants.remove(id, noon)
  yield* secrets.set(id, "user_service", Redacted.make("secret"), noon)
  yield* secrets.get(id, "user_service")
  yield* secrets.setAt(id, "user_service")
  yield* secrets.remove(id, "user_service")
})

/** Calls everything that these stores can do. */
export const useTenants = Effect.fnUntraced(function* (prefix: TenantId) {
  yield* useTenantRows(TenantId.make(`${prefix}-new`))
  const tenantId = TenantId.make(`${prefix}3`)
  const log = yield* AuditLog
  const entry = {
    id: "new",
    tenantId,
    at: noon,
    actor: { kind: "user", id: "ada", roles: [] },
    action: "action-3",
    target: "target-3",
    address: null,
    correlationId: null,
    before: null,
    after: null
  } as const
  yield* log.append([entry])
  yield* log.list(tenantId, { limit: 20 })
  yield* log.list(tenantId, { action: "action-3", actorId: "user-3", target: "target-3", limit: 20 })
  yield* log.list(tenantId, { since: noon, until: hoursAfterNoon(1), beforeId: "entry-5", limit: 20 })
  const lookups = yield* LookupStore
  const seed = { kind: "kind-3", code: "new", labels: { en: "New" } }
  yield* lookups.list({ tenantId }, "kind-3")
  yield* lookups.put({ tenantId }, "kind-3", "code-3", { labels: { en: "New" } }, noon)
  yield* lookups.seed({ tenantId }, [seed], 1, noon)
  yield* lookups.remove({ tenantId }, "kind-3", "new")
})
