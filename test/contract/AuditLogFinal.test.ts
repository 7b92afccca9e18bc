import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { freshTenant, noon } from "./Fixtures.ts"
import { layerPglite } from "./SqlStores.ts"

layer(layerPglite, { timeout: "120 seconds" })("the audit log in the database", (it) => {
  it.effect("is changed by nobody, not even by the owner of the table", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* AuditLog
      const tenantId = freshTenant()
      const actor = { kind: "user", id: "ada", roles: [] } as const
      const entry = {
        id: "1",
        tenantId,
        at: noon,
        actor,
        action: "a.b",
        target: "t",
        address: null,
        correlationId: null
      }
      yield* log.append([{ ...entry, before: null, after: null }])
      const forged = sql`update audit_log set action = 'forged' where tenant_id = ${tenantId}`
      const error = yield* Effect.flip(asOwner(forged))
      expect(error.reason._tag).toBe("AuthorizationError")
      yield* Effect.flip(forged)
      expect((yield* log.list(tenantId, { limit: 10 })).map(({ action }) => action)).toEqual(["a.b"])
    })
  )
})
