import type { AuditEntry } from "@beckon/domain/AuditEntry"
import type { TenantId } from "@beckon/domain/Identifiers"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

const entry = (tenantId: TenantId, number: number, other: Partial<AuditEntry> = {}): AuditEntry => ({
  id: `entry-${String(number).padStart(3, "0")}`,
  tenantId,
  at: hoursAfterNoon(number),
  actor: { kind: "user", id: "ada", roles: ["admin"] },
  action: "template.put",
  target: "template/welcome",
  address: null,
  correlationId: null,
  before: null,
  after: null,
  ...other
})

export const auditLogContract = (it: Vitest.MethodsNonLive<AuditLog>) => {
  it.effect("an entry comes back whole, whatever text it holds", () =>
    Effect.gen(function* () {
      const log = yield* AuditLog
      const tenantId = freshTenant()
      const full = entry(tenantId, 1, {
        actor: { kind: "key", id: "bk_1", roles: ["service", 'Ørder, {x} "y" \\z', ""] },
        address: "2001:db8::1",
        correlationId: "corr 👋",
        before: { text: "NUL \u0000, surrogate \ud800", list: [1, 1e300, null, true], nested: { a: {} } },
        after: "null"
      })
      const bare = entry(tenantId, 2, { actor: { kind: "system", id: "seeds", roles: [] }, after: [] })
      yield* log.append([])
      yield* log.append([full, bare])
      expect(yield* log.list(tenantId, { limit: 10 })).toEqual([bare, full])
      expect(yield* log.list(freshTenant(), { limit: 10 })).toEqual([])
    })
  )

  it.effect("an entry that is appended again is one entry, and is the first", () =>
    Effect.gen(function* () {
      const log = yield* AuditLog
      const tenantId = freshTenant()
      yield* log.append([entry(tenantId, 1)])
      yield* log.append([entry(tenantId, 1, { action: "forged" }), entry(tenantId, 2)])
      const listed = yield* log.list(tenantId, { limit: 10 })
      expect(listed.map(({ action, id }) => [id, action])).toEqual([
        ["entry-002", "template.put"],
        ["entry-001", "template.put"]
      ])
    })
  )

  it.effect("pages go from the newest, and each filter leaves what fits it", () =>
    Effect.gen(function* () {
      const log = yield* AuditLog
      const tenantId = freshTenant()
      const eve = { kind: "user", id: "eve", roles: [] } as const
      yield* log.append(
        Array.range(1, 12).map((number) =>
          entry(tenantId, number, {
            ...(number % 2 === 0 ? { actor: eve } : {}),
            ...(number % 3 === 0 ? { action: "key.rotate" } : {}),
            ...(number % 4 === 0 ? { target: "key/1" } : {})
          })
        )
      )
      const numbers = (query: Omit<Parameters<typeof log.list>[1], "limit">, limit = 20) =>
        Effect.map(log.list(tenantId, { ...query, limit }), (rows) => rows.map(({ id }) => Number(id.slice(-3))))
      expect(yield* numbers({}, 3)).toEqual([12, 11, 10])
      expect(yield* numbers({ beforeId: "entry-010" }, 3)).toEqual([9, 8, 7])
      expect(yield* numbers({ actorId: "eve" })).toEqual([12, 10, 8, 6, 4, 2])
      expect(yield* numbers({ action: "key.rotate" })).toEqual([12, 9, 6, 3])
      expect(yield* numbers({ target: "key/1" })).toEqual([12, 8, 4])
      expect(yield* numbers({ since: hoursAfterNoon(5), until: hoursAfterNoon(8) })).toEqual([7, 6, 5])
      expect(
        yield* numbers({ actorId: "eve", action: "key.rotate", target: "key/1", since: noon, beforeId: "entry-013" })
      ).toEqual([12])
      expect(yield* numbers({ action: "key", actorId: "ev" })).toEqual([])
    })
  )
}
