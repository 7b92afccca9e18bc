import { TenantId } from "@beckon/domain/Identifiers"
import { describe, expect, it } from "@effect/vitest"
import { Result } from "effect"
import { identityOf } from "../../src/security/OidcClaims.ts"
import type { ClaimMapping, IssuerTenants } from "../../src/security/OidcClaims.ts"

const keycloak: ClaimMapping = {
  audiences: ["beckon", "beckon.api"],
  tenant: { claim: "tenant" },
  rolesClaims: ["realm_access.roles", "resource_access.{audience}.roles", "roles"]
}

const base = { sub: "ada", tenant: "acme", iat: 100, exp: 200 }

const identity = (claims: object, mapping: Partial<ClaimMapping> = {}, tenants: IssuerTenants = "*") =>
  Result.getOrThrow(identityOf({ ...base, ...claims }, { ...keycloak, ...mapping }, tenants))

describe("OidcClaims", () => {
  it("roles come from Keycloak's realm, from its clients that are our audiences, and from a plain claim, each once", () => {
    const claims = {
      realm_access: { roles: ["offline_access", "user"] },
      resource_access: {
        beckon: { roles: ["service"] },
        "beckon.api": { roles: ["reader", "service"] },
        account: { roles: ["manage-account"] }
      },
      roles: ["plain"]
    }
    expect(identity(claims).roles).toEqual(["offline_access", "user", "service", "reader", "plain"])
    expect(identity({}).roles).toEqual([])
    for (const roles of [7, null, "", [], [1, {}], {}]) expect(identity({ roles }).roles).toEqual([])
    expect(identity({ roles: "service admin" }).roles).toEqual(["service", "admin"])
    expect(identity({ roles: ["", "x".repeat(65), "a\nb", "fine"] }).roles).toEqual(["fine"])
    expect(identity({ roles: Array.from({ length: 100 }, (_, index) => `r${index}`) }).roles).toHaveLength(64)
  })

  it("with a map of roles only what it names counts", () => {
    const roleMap = { "beckon-admin": ["admin"], both: ["service", "user"] }
    const roles = ["beckon-admin", "both", "platform", "admin", "toString", "__proto__"]
    expect(identity({ roles }, { roleMap }).roles).toEqual(["admin", "service", "user"])
    expect(identity({ roles: ["admin", "platform"] }, { roleMap }).roles).toEqual([])
  })

  it("only a map gives the role of the platform, and only to an issuer for all tenants", () => {
    const roleMap = { ops: ["platform", "admin"], platform: ["platform"] }
    const roles = ["ops", "platform", "user"]
    expect(identity({ roles }).roles).toEqual(["ops", "user"])
    expect(identity({ roles }, { roleMap }).roles).toEqual(["platform", "admin"])
    expect(identity({ roles }, { roleMap }, [TenantId.make("acme")]).roles).toEqual(["admin"])
  })

  it("an issuer for some tenants speaks for no other, nor for the fixed one", () => {
    const [acme, globex] = [TenantId.make("acme"), TenantId.make("globex")]
    expect(identity({}, {}, [globex, acme]).tenantId).toBe("acme")
    const refused = "its issuer may not speak for this tenant"
    expect(identityOf(base, keycloak, [globex])).toEqual(Result.fail(refused))
    expect(identityOf(base, { ...keycloak, tenant: { fixed: globex } }, [acme])).toEqual(Result.fail(refused))
  })

  it("a claim is found by its own name first, then along the dots", () => {
    const claims = {
      "https://acme.example/roles": ["service"],
      org: { "id.x": "no", id: { x: "deep" } },
      "org.id.x": "whole"
    }
    expect(identity(claims, { rolesClaims: ["https://acme.example/roles"] }).roles).toEqual(["service"])
    expect(identity(claims, { tenant: { claim: "org.id.x" } }).tenantId).toBe("whole")
    expect(identity({ org: claims.org }, { tenant: { claim: "org.id.x" } }).tenantId).toBe("deep")
    expect(Result.isFailure(identityOf(base, { ...keycloak, tenant: { claim: "constructor.name" } }, "*"))).toBe(true)
  })

  it("the tenant is the one claim that says it, or the fixed one whatever the token says", () => {
    expect(identity({}).tenantId).toBe("acme")
    expect(identity({ tenant: "other" }, { tenant: { fixed: TenantId.make("only") } }).tenantId).toBe("only")
    for (const tenant of [undefined, "", 7, ["acme"], "x".repeat(65)]) {
      expect(Result.isFailure(identityOf({ ...base, tenant }, keycloak, "*"))).toBe(true)
    }
  })

  it("a service without a subject is called by its client id, or by the party that the token was made for", () => {
    expect(identity({ sub: undefined, client_id: "shop", azp: "other" }).userId).toBe("shop")
    expect(identity({ sub: undefined, azp: "shop" }).userId).toBe("shop")
    expect(identity({ client_id: "shop" }).userId).toBe("ada")
    expect(Result.isFailure(identityOf({ ...base, sub: undefined }, keycloak, "*"))).toBe(true)
  })

  it("scopes that are ours limit the caller, in either spelling; others limit nothing", () => {
    expect(identity({ scope: "openid events:write profile" }).scopes).toEqual(["events:write"])
    expect(identity({ scp: ["users:read", 7] }).scopes).toEqual(["users:read"])
    expect(identity({ scp: "users:read", scope: "events:write" }).scopes).toEqual(["events:write", "users:read"])
    expect(identity({ scope: "openid profile" })).not.toHaveProperty("scopes")
  })

  it("a profile that does not fit is left out, and the caller is let in", () => {
    const profile = { name: "Ada", email: "ada@example.com", picture: "https://example.com/ada.png" }
    expect(identity(profile)).toMatchObject(profile)
    expect(Object.keys(identity({ name: 7, email: "x".repeat(321), picture: null, jti: 9 })).toSorted()).toEqual([
      "expiresAt",
      "issuedAt",
      "roles",
      "tenantId",
      "userId"
    ])
  })
})
