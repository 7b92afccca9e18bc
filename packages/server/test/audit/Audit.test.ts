import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { Identity } from "@beckon/domain/Identity"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { RowAccess } from "@beckon/domain/ports/RowAccess"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import { Audit, system } from "../../src/audit/Audit.ts"
import { redact, redacted } from "../../src/audit/Redaction.ts"

const tenantId = TenantId.make("acme")
const identity: Identity = { tenantId, userId: UserId.make("boss"), roles: ["admin"], expiresAt: 0 }
const as = (caller: Identity) => Effect.provideService(CurrentIdentity, caller)
const deed = { action: "template.put", target: "template/welcome" }

const layer = Audit.layer.pipe(Layer.provideMerge(MemoryAuditLog.layer))

/** Fails so many times, and remembers what it was given. */
const faulty = (failures: number) => {
  const ids: Array<string> = []
  const accesses: Array<unknown> = []
  const log = Layer.succeed(AuditLog, {
    append: (entries) =>
      Effect.gen(function* () {
        ids.push(...entries.map(({ id }) => id))
        accesses.push(yield* RowAccess)
        if (ids.length <= failures) {
          return yield* new StoreUnavailable({ operation: "AuditLog.append", cause: new Error("away") })
        }
      }),
    list: () => Effect.succeed([])
  })
  return { ids, accesses, layer: Audit.layer.pipe(Layer.provide(log)) }
}

describe("Audit", () => {
  it.effect("says who, from where, and to whom it was done", () =>
    Effect.gen(function* () {
      const audit = yield* Audit
      const log = yield* AuditLog
      yield* audit
        .record({ ...deed, before: { version: 1 }, after: { version: 2 } })
        .pipe(
          as(identity),
          Effect.provideService(CallOrigin, { address: "192.0.2.7", correlationId: "corr", traceparent: null })
        )
      yield* audit.record(deed).pipe(as({ ...identity, keyId: "bk_1", roles: ["service"] }))
      yield* audit.recordAs(system("beckon seed"), tenantId, { ...deed, tenantId: TenantId.make("other") })
      const [byKey, byUser] = yield* log.list(tenantId, { limit: 10 })
      assert.deepInclude(byUser, {
        ...deed,
        tenantId,
        actor: { kind: "user", id: "boss", roles: ["admin"] },
        address: "192.0.2.7",
        correlationId: "corr",
        before: { version: 1 },
        after: { version: 2 }
      })
      assert.deepInclude(byKey, {
        actor: { kind: "key", id: "bk_1", roles: ["service"] },
        address: null,
        before: null,
        after: null
      })
      const [bySystem] = yield* log.list(TenantId.make("other"), { limit: 10 })
      assert.deepInclude(bySystem, { actor: { kind: "system", id: "beckon seed", roles: [] } })
    }).pipe(Effect.provide(layer))
  )

  it.effect("an entry that is not taken is tried again, as the same entry and past the rows of the caller", () => {
    const { accesses, ids, layer } = faulty(3)
    return Effect.gen(function* () {
      const audit = yield* Audit
      const recording = yield* Effect.forkChild(audit.record(deed).pipe(as(identity)))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(recording)
      assert.strictEqual(ids.length, 4)
      assert.strictEqual(new Set(ids).size, 1)
      assert.deepStrictEqual(new Set(accesses), new Set(["system"]))
    }).pipe(Effect.provideService(RowAccess, { tenantId }), Effect.provide(layer))
  })

  it.effect("one that is never taken is an error of the log with all that it says, and the deed stays done", () => {
    const { layer } = faulty(Infinity)
    const lines: Array<string> = []
    const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
    return Effect.gen(function* () {
      const audit = yield* Audit
      const recording = yield* Effect.forkChild(audit.record({ ...deed, after: { version: 7 } }).pipe(as(identity)))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(recording)
      assert.strictEqual(lines.length, 1)
      for (const part of ["ERROR", "template/welcome", '"version":7', "boss"]) assert.include(lines[0] ?? "", part)
    }).pipe(Effect.provide(Layer.merge(layer, Logger.layer([logger]))))
  })

  it.effect("a caller who leaves does not take the entry away", () => {
    const begun = Deferred.makeUnsafe<void>()
    const go = Deferred.makeUnsafe<void>()
    let saved = 0
    const log = Layer.succeed(AuditLog, {
      append: () =>
        Effect.andThen(
          Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(go)),
          Effect.sync(() => void saved++)
        ),
      list: () => Effect.succeed([])
    })
    return Effect.gen(function* () {
      const audit = yield* Audit
      const recording = yield* Effect.forkChild(audit.record(deed).pipe(as(identity)))
      yield* Deferred.await(begun)
      const leaving = yield* Effect.forkChild(Fiber.interrupt(recording))
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(leaving)
      assert.strictEqual(saved, 1)
    }).pipe(Effect.provide(Audit.layer.pipe(Layer.provide(log))))
  })
})

describe("redact", () => {
  it("takes out what looks like a secret, however deep, and leaves ids and times of secrets", () => {
    const kept = {
      key_id: "k1",
      token_id: "t1",
      credential_updated_at: "2026",
      tokens: 7,
      hasPassword: true,
      secret: null
    }
    assert.deepStrictEqual(
      redact({
        ...kept,
        list: [{ clientSecret: "x", password: "x", Authorization: "Bearer x", api_key: "x" }],
        credentials: { user: "x" },
        privateKey: ["x"]
      }),
      {
        ...kept,
        list: [{ clientSecret: redacted, password: redacted, Authorization: redacted, api_key: redacted }],
        credentials: redacted,
        privateKey: redacted
      }
    )
  })

  it("says of what is too long only how long it is", () => {
    assert.deepStrictEqual(redact({ text: "x".repeat(40_000) }), { omitted: "40011 characters of JSON" })
  })
})
