import { assert, describe, it } from "@effect/vitest"
import { Context, Option } from "effect"
import { Authorization } from "../src/api/Authorization.ts"
import { BeckonApi } from "../src/api/BeckonApi.ts"
import { fromClaims, scopesOf } from "../src/Identity.ts"
import { TenantId, UserId } from "../src/Identifiers.ts"
import { InboxRpcs } from "../src/InboxRpcs.ts"
import * as Policy from "../src/Policy.ts"

const user = { roles: ["user"] }

describe("who may do what", () => {
  it("everybody has his own inbox, and nothing of others", () => {
    assert.deepStrictEqual(
      Policy.allScopes.filter((scope) => Policy.allows(user, scope)),
      ["inbox:read", "inbox:write", "friendships:read", "friendships:write", "presence:read", "lookups:read"]
    )
    assert.deepStrictEqual(
      Policy.allScopes.filter((scope) => Policy.allows({ roles: [] }, scope)),
      Policy.allScopes.filter((scope) => Policy.allows(user, scope))
    )
  })

  it("every role may do what the one before may", () => {
    const reach = ["user", "service", "admin", "platform"].map(
      (role) => new Set(Policy.allScopes.filter((scope) => Policy.allows({ roles: [role] }, scope)))
    )
    for (const [index, scopes] of reach.entries()) {
      const before = reach[index - 1]
      if (before === undefined) continue
      assert.isTrue(before.isSubsetOf(scopes))
      assert.isAbove(scopes.size, before.size)
    }
    assert.strictEqual(reach.at(-1)?.size, Policy.allScopes.length)
  })

  it("only who runs the deployment sees tenants", () => {
    assert.deepStrictEqual(Policy.rolesWith("tenants:read"), ["platform"])
    assert.isFalse(Policy.allows({ roles: ["admin", "service", "user", "superuser", "__proto__"] }, "tenants:write"))
  })

  it("a credential that names scopes has no others, and none that its roles lack", () => {
    const key = { roles: ["service"], scopes: ["notifications:write", "keys:write"] }
    assert.deepStrictEqual(
      Policy.allScopes.filter((scope) => Policy.allows(key, scope)),
      ["notifications:write"]
    )
    assert.isFalse(Policy.allows({ roles: ["admin"], scopes: [] }, "users:read"))
  })

  it("a scope claim without scopes of ours limits nothing", () => {
    assert.deepStrictEqual(scopesOf("openid profile email"), {})
    assert.deepStrictEqual(scopesOf(undefined), {})
    assert.deepStrictEqual(scopesOf("openid inbox:read toString"), { scopes: ["inbox:read"] })
    const claims = {
      sub: UserId.make("ada"),
      tenant: TenantId.make("acme"),
      roles: ["user"],
      exp: 1,
      scope: "inbox:read"
    }
    assert.deepStrictEqual(fromClaims(claims).scopes, ["inbox:read"])
  })

  it("reading and writing are told apart by the method", () => {
    const required = { read: "users:read", write: "users:write" } as const
    assert.strictEqual(Policy.scopeFor(required, "GET"), "users:read")
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      assert.strictEqual(Policy.scopeFor(required, method), "users:write")
    }
    assert.strictEqual(Policy.scopeFor("audit:read", "POST"), "audit:read")
  })

  it("every operation behind a credential says its scope, and every scope is of use", () => {
    const used = new Set<string>()
    for (const group of Object.values(BeckonApi.groups)) {
      for (const endpoint of Object.values(group.endpoints)) {
        const isProtected = [...endpoint.middlewares].some((one) => one.key === Authorization.key)
        const required = Option.orElse(Context.getOption(endpoint.annotations, Policy.RequiredScope), () =>
          Context.getOption(group.annotations, Policy.RequiredScope)
        )
        assert.strictEqual(Option.isSome(required), isProtected, `${group.identifier}.${endpoint.name}`)
        if (Option.isSome(required)) used.add(Policy.scopeFor(required.value, endpoint.method))
      }
    }
    for (const tag of InboxRpcs.requests.keys()) assert.property(Policy.rpcScopes, tag)
    for (const scope of Object.values(Policy.rpcScopes)) if (scope !== undefined) used.add(scope)
    assert.deepStrictEqual([...used].toSorted(), [...Policy.allScopes].toSorted())
  })
})
