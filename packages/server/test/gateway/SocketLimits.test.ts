import { assert, describe, it, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import { TokenBuckets, TokenBucketsUnavailable } from "@beckon/domain/ports/TokenBuckets"
import type { TenantSettings } from "@beckon/domain/Tenant"
import * as MemoryTokenBuckets from "@beckon/infra/memory/MemoryTokenBuckets"
import { defaults } from "../../src/gateway/GatewaySettings.ts"
import * as SocketLimits from "../../src/gateway/SocketLimits.ts"

const identityOf = (tenant: string, user = "ada"): Identity => ({
  tenantId: TenantId.make(tenant),
  userId: UserId.make(user),
  roles: ["user"],
  expiresAt: 0
})

const still = (burst: number) => ({ perSecond: 0.01, burst })

const tenantsOf = (settings: TenantSettings) => ({
  get: (id: TenantId) =>
    Effect.succeed({
      id,
      name: id,
      status: "active" as const,
      settings,
      version: 1,
      createdAt: DateTime.makeUnsafe(0),
      updatedAt: DateTime.makeUnsafe(0)
    }),
  changed: () => Effect.void
})

const plain = { headers: {} }

describe("what one socket may send", () => {
  it("is its burst, and then as much as comes back", () => {
    const { bytes, messages } = SocketLimits.makeFlows(
      { messages: { perSecond: 10, burst: 5 }, bytes: { perSecond: 100, burst: 1_000 } },
      0
    )
    for (let count = 0; count < 5; count++) assert.isTrue(SocketLimits.pass(messages, 1, 0))
    assert.isFalse(SocketLimits.pass(messages, 1, 0))
    assert.isFalse(SocketLimits.pass(messages, 1, 99))
    assert.isTrue(SocketLimits.pass(messages, 1, 100))
    assert.isFalse(SocketLimits.pass(messages, 1, 150))
    assert.isTrue(SocketLimits.pass(messages, 5, 60_000))
    assert.isFalse(SocketLimits.pass(messages, 1, 60_000))
    assert.isTrue(SocketLimits.pass(bytes, 900, 0))
    assert.isFalse(SocketLimits.pass(bytes, 101, 0))
    assert.isTrue(SocketLimits.pass(bytes, 100, 0))
    assert.strictEqual(SocketLimits.say(bytes, "bytes"), "at most 100 bytes a second, 1000 at once")
  })

  it("is anything without a limit", () => {
    const { messages } = SocketLimits.makeFlows({ messages: undefined, bytes: undefined }, 0)
    for (let count = 0; count < 10_000; count++) assert.isTrue(SocketLimits.pass(messages, 1, 0))
  })
})

layer(MemoryTokenBuckets.layer)("a new socket", (it) => {
  it.effect("is refused when its user or its tenant has opened too many, with the time to wait", () =>
    Effect.gen(function* () {
      const settings = { ...defaults, connects: still(4), connectsOfUser: still(2) }
      const admit = SocketLimits.make(settings, tenantsOf({}), yield* TokenBuckets)
      const ada = identityOf("acme")
      yield* admit(plain, ada)
      assert.deepStrictEqual(yield* admit(plain, ada), { messages: defaults.messages, bytes: defaults.bytes })
      const refused = yield* Effect.flip(admit(plain, ada))
      assert.deepStrictEqual([refused.status, refused.headers], [429, { "retry-after": "100" }])
      assert.match(
        String(refused.problem["detail"]),
        /^new sockets of this user: 0.01 a second, 2 at once; again in 100 s$/
      )
      yield* admit(plain, identityOf("acme", "bob"))
      yield* admit(plain, identityOf("acme", "cid"))
      const full = yield* Effect.flip(admit(plain, identityOf("acme", "dan")))
      assert.match(String(full.problem["detail"]), /^new sockets of the tenant/)
      yield* admit(plain, identityOf("other"))
    })
  )

  it.effect("has the limits and the pages of its tenant before those of the deployment", () =>
    Effect.gen(function* () {
      const own = { connects: still(1), messages: still(7), bytes: still(70) }
      const tenants = tenantsOf({ allowedOrigins: ["https://app.example"], sockets: own })
      const settings = { ...defaults, allowedOrigins: ["https://deployment.example"] }
      const admit = SocketLimits.make(settings, tenants, yield* TokenBuckets)
      const from = (origin: string, host = "api.example") => admit({ headers: { origin, host } }, identityOf("own"))
      for (const origin of ["https://deployment.example", "https://evil.example", "null"]) {
        assert.strictEqual((yield* Effect.flip(from(origin))).status, 403)
      }
      assert.deepStrictEqual(yield* from("https://app.example"), { messages: own.messages, bytes: own.bytes })
      assert.strictEqual((yield* Effect.flip(from("https://api.example"))).status, 429)
      const byDefault = SocketLimits.make(settings, tenantsOf({}), yield* TokenBuckets)
      const page = { headers: { origin: "https://deployment.example", host: "api.example" } }
      yield* byDefault(page, identityOf("default"))
      assert.strictEqual(
        (yield* Effect.flip(byDefault({ headers: { origin: "https://app.example" } }, identityOf("default")))).status,
        403
      )
    })
  )

  it.effect("is let in while nobody can count", () =>
    Effect.gen(function* () {
      const away = { take: () => Effect.fail(new TokenBucketsUnavailable({ cause: "away" })) }
      const admit = SocketLimits.make({ ...defaults, connects: still(1) }, tenantsOf({}), away)
      for (let count = 0; count < 3; count++) yield* admit(plain, identityOf("acme"))
    })
  )
})
