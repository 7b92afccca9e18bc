/**
 * The statements of the stores of API keys and revocations, over tables of a real size.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import { RevocationStore } from "@beckon/domain/ports/RevocationStore"
import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { hoursAfterNoon, noon } from "./Fixtures.ts"

/** `rows` of each table, twenty keys for a tenant. */
export const seedIdentities = Effect.fnUntraced(function* (tenantId: TenantId, rows: number) {
  const sql = yield* SqlClient
  yield* sql`
    insert into api_keys (tenant_id, id, name, role, created_by, created_at, hash)
    select ${tenantId} || n / 20, 'key-' || n, 'key', 'service', 'user', now(), ''::bytea from generate_series(1, ${rows}) n`
  yield* sql`
    insert into revocations
    select ${tenantId} || n / 20, 'user', 'user-' || n, now(), now() + n * interval '1 minute', 'id-' || n,
      now() - n * interval '1 minute' from generate_series(1, ${rows}) n`
})

/** Calls everything that these stores can do. */
export const useIdentities = Effect.fnUntraced(function* ({ tenantId }: MailboxKey) {
  const keys = yield* ApiKeyStore
  const hash = new Uint8Array(32)
  const key = { id: "new", tenantId, name: "key", role: "service", scopes: null, createdBy: "user" } as const
  yield* keys.create({ ...key, expiresAt: null, hash }, noon)
  yield* keys.list(tenantId, { limit: 100 })
  yield* keys.list(tenantId, { beforeId: "new", limit: 100 })
  yield* keys.get(tenantId, "new")
  yield* keys.find("new")
  yield* keys.rotate(tenantId, "new", hash, hoursAfterNoon(1), noon)
  yield* keys.noteUse(tenantId, "new", null, noon)
  yield* keys.revoke(tenantId, "new", noon)
  const revocations = yield* RevocationStore
  const revocation = { tenantId, kind: "user", subject: "user", before: noon, expiresAt: noon } as const
  yield* revocations.save(revocation, "new", noon)
  yield* revocations.changes({ changedAt: DateTime.nowUnsafe(), id: "" }, 1_000)
  yield* revocations.forget(noon, 100)
})
