import { NodeHttpClient } from "@effect/platform-node"
import { TenantId } from "@beckon/domain/Identifiers"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { exportSPKI, importJWK } from "jose"
import { createHmac } from "node:crypto"
import type { IssuerTenants } from "../../src/security/OidcClaims.ts"
import { OidcTokens } from "../../src/security/OidcTokens.ts"
import * as FakeIssuer from "./FakeIssuer.ts"

const audience = "beckon"

/** A day at which the clock of the tests is set, in seconds. */
const day = 1_772_366_400

const settingsOf = (issuers: ReadonlyArray<readonly [url: string, tenants: IssuerTenants]>) => ({
  issuers: new Map(issuers),
  clockSkew: Duration.seconds(5),
  maxAge: Duration.days(1),
  keptThroughOutage: Duration.minutes(10),
  mapping: { audiences: [audience], tenant: { claim: "tenant" }, rolesClaims: ["realm_access.roles"] }
})

/** An issuer with one key, and the verifier that trusts it. */
const started = Effect.gen(function* () {
  yield* TestClock.setTime(day * 1000)
  const issuer = yield* FakeIssuer.start
  const key = yield* FakeIssuer.makeKey("first")
  issuer.keys = [key.jwk]
  const oidc = Context.get(
    yield* Layer.build(
      OidcTokens.layer(settingsOf([[issuer.url, "*"]])).pipe(Layer.provide(NodeHttpClient.layerUndici))
    ),
    OidcTokens
  )
  const claims = {
    iss: issuer.url,
    aud: audience,
    sub: "ada",
    tenant: "acme",
    realm_access: { roles: ["service"] },
    iat: day - 10,
    exp: day + 300
  }
  const verified = (payload: object = {}, header: Parameters<typeof FakeIssuer.sign>[2] = {}, by = key) =>
    Effect.flatMap(FakeIssuer.sign(by, { ...claims, ...payload }, header), oidc.verify)
  return { issuer, key, oidc, claims, verified }
})

const reasonOf = <A, E extends { readonly reason: string }>(effect: Effect.Effect<A, E>) =>
  Effect.match(effect, { onFailure: ({ reason }) => reason, onSuccess: () => "accepted" })

describe("OidcTokens", () => {
  it.effect("a token of the issuer says who calls", () =>
    Effect.gen(function* () {
      const { issuer, oidc, verified } = yield* started
      expect(yield* verified({ jti: "t1", scope: "openid events:write", name: "Ada" })).toEqual({
        tenantId: "acme",
        userId: "ada",
        roles: ["service"],
        scopes: ["events:write"],
        tokenId: "t1",
        name: "Ada",
        issuedAt: (day - 10) * 1000,
        expiresAt: (day + 300) * 1000
      })
      expect(oidc.trusts(issuer.url)).toBe(true)
      expect(oidc.trusts(`${issuer.url}/`)).toBe(false)
      for (const typ of ["at+jwt", "application/at+jwt", "jwt"]) yield* verified({}, { typ })
    })
  )

  it.effect(
    "one of two issuers does not speak for the other's tenant, with its own key or under the other's name",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(day * 1000)
        const one = { issuer: yield* FakeIssuer.start, key: yield* FakeIssuer.makeKey("one"), tenant: "acme" }
        const two = { issuer: yield* FakeIssuer.start, key: yield* FakeIssuer.makeKey("two"), tenant: "globex" }
        for (const { issuer, key } of [one, two]) issuer.keys = [key.jwk]
        const bound = [one, two].map(({ issuer, tenant }) => [issuer.url, [TenantId.make(tenant)]] as const)
        const oidc = Context.get(
          yield* Layer.build(OidcTokens.layer(settingsOf(bound)).pipe(Layer.provide(NodeHttpClient.layerUndici))),
          OidcTokens
        )
        const verified = (by: typeof one, tenant: string, iss = by.issuer.url) =>
          FakeIssuer.sign(by.key, {
            iss,
            aud: audience,
            sub: "ada",
            tenant,
            realm_access: { roles: ["admin", "platform"] },
            iat: day,
            exp: day + 60
          }).pipe(Effect.flatMap(oidc.verify))
        for (const by of [one, two]) {
          expect(yield* verified(by, by.tenant)).toMatchObject({ tenantId: by.tenant, roles: ["admin"] })
        }
        const refused = "token: its claims do not fit: its issuer may not speak for this tenant"
        expect(yield* reasonOf(verified(two, "acme"))).toBe(refused)
        expect(yield* reasonOf(verified(one, "globex"))).toBe(refused)
        expect(yield* reasonOf(verified(two, "acme", one.issuer.url))).toBe("token: its issuer has no such key")
      })
  )

  it.effect.each(["RS256", "PS512", "ES384", "EdDSA"])("a key of %s will do", (alg) =>
    Effect.gen(function* () {
      const { issuer, verified } = yield* started
      const other = yield* FakeIssuer.makeKey("other", alg)
      issuer.keys = [other.jwk]
      expect((yield* verified({}, {}, other)).userId).toBe("ada")
    })
  )

  it.effect("what is wrong with a token is said, and nothing of it is accepted", () =>
    Effect.gen(function* () {
      const { key, verified } = yield* started
      const stranger = { ...(yield* FakeIssuer.makeKey("first")), kid: key.kid }
      const answers: Record<string, string> = {}
      const cases = {
        "expired beyond the skew": verified({ exp: day - 6 }),
        "without an end": verified({ exp: undefined }),
        "without the time of its issue": verified({ iat: undefined }),
        "from the future": verified({ iat: day + 60 }),
        "not good yet": verified({ nbf: day + 60 }),
        "older than a day": verified({ iat: day - 86_500 }),
        "for another audience": verified({ aud: "shop" }),
        "for nobody": verified({ aud: undefined }),
        "of another issuer": verified({ iss: "https://login.example" }),
        "of no issuer": verified({ iss: undefined }),
        "signed by somebody else": verified({}, {}, stranger),
        "an ID token": verified({ typ: "ID" }),
        "a refresh token": verified({ typ: "Refresh" }),
        "a logout token": verified({}, { typ: "logout+jwt" }),
        "without a tenant": verified({ tenant: undefined }),
        "of an impossible user": verified({ sub: "" })
      }
      for (const [name, verify] of Object.entries(cases)) answers[name] = yield* reasonOf(verify)
      expect(answers).toEqual({
        "expired beyond the skew": "token: it has expired",
        "without an end": "token: the claim exp is not acceptable",
        "without the time of its issue": "token: the claim iat is not acceptable",
        "from the future": "token: the claim iat is not acceptable",
        "not good yet": "token: the claim nbf is not acceptable",
        "older than a day": "token: it has expired",
        "for another audience": "token: the claim aud is not acceptable",
        "for nobody": "token: the claim aud is not acceptable",
        "of another issuer": "token: its issuer is not trusted here",
        "of no issuer": "token: its issuer is not trusted here",
        "signed by somebody else": "token: the signature is not ours",
        "an ID token": "token: it is not an access token",
        "a refresh token": "token: it is not an access token",
        "a logout token": "token: it is not an access token",
        "without a tenant": "token: its claims do not fit: the claim tenant must be a tenant, 1 to 64 characters",
        "of an impossible user": "token: its claims do not fit: the claim sub must be an id of 1 to 128 characters"
      })
      // The clocks may differ by this much.
      yield* verified({ exp: day - 4, nbf: day + 4 })
    })
  )

  it.effect("a token without a signature, or signed with the public key as a secret, is refused unseen", () =>
    Effect.gen(function* () {
      const { claims, issuer, key, oidc } = yield* started
      yield* reasonOf(oidc.verify("warm.up.token"))
      const publicKey = yield* Effect.promise(async () => {
        const imported = await importJWK(key.jwk, key.alg)
        return "type" in imported ? exportSPKI(imported) : ""
      })
      const reads = issuer.requests.length
      const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
      const forged = (alg: string, secret: string) => {
        const body = `${part({ alg, kid: key.kid, typ: "JWT" })}.${part(claims)}`
        return `${body}.${secret === "" ? "" : createHmac("sha256", secret).update(body).digest("base64url")}`
      }
      for (const token of [
        forged("none", ""),
        forged("None", ""),
        forged("HS256", publicKey),
        forged("HS256", publicKey.trim()),
        forged("HS256", JSON.stringify(key.jwk))
      ]) {
        expect(yield* reasonOf(oidc.verify(token))).toBe("token: its algorithm is not one of public keys")
      }
      // The algorithm of another kind of key than the one that is named.
      expect(yield* reasonOf(oidc.verify(forged("RS256", publicKey)))).toBe("token: its issuer has no such key")
      for (const text of ["", "a.b.c", "...", "ø", part({ alg: "ES256" })]) {
        expect(yield* reasonOf(oidc.verify(text))).toBe("token: its issuer is not trusted here")
      }
      expect(issuer.requests.length - reads).toBeLessThanOrEqual(2)
    })
  )

  it.effect(
    "a new key is fetched when the first token names it, once for all that come; the old one is good until it leaves",
    () =>
      Effect.gen(function* () {
        const { issuer, key, verified } = yield* started
        yield* verified()
        const before = issuer.reads()
        const second = yield* FakeIssuer.makeKey("second")
        issuer.keys = [key.jwk, second.jwk]
        const all = yield* Effect.all(
          Array.from({ length: 50 }, () => verified({}, {}, second)),
          { concurrency: "unbounded" }
        )
        expect(all).toHaveLength(50)
        expect(issuer.reads() - before).toBe(1)
        yield* verified()
        issuer.keys = [second.jwk]
        yield* TestClock.adjust("5 minutes")
        // The reading goes over a real connection: it is over when a token of the old key is refused.
        yield* Effect.repeat(
          Effect.tap(reasonOf(verified({ exp: day + 3_600 })), () => Effect.promise(() => new Promise(setImmediate))),
          { until: (reason) => reason === "token: its issuer has no such key" }
        )
        expect(issuer.reads() - before).toBeLessThanOrEqual(5)
        yield* verified({ exp: day + 3_600 }, {}, second)
      })
  )

  it.effect("invented names of keys cost a few requests, and one more every fifteen seconds", () =>
    Effect.gen(function* () {
      const { issuer, key, verified } = yield* started
      yield* verified()
      const before = issuer.reads()
      const flood = (round: string) =>
        Effect.forEach(
          Array.from({ length: 200 }, (_, index) => `${round}-${index}`),
          (kid) => reasonOf(verified({}, { kid })),
          { concurrency: 10 }
        )
      const answers = yield* flood("first")
      expect(new Set(answers)).toEqual(new Set(["token: its issuer has no such key"]))
      expect(issuer.reads() - before).toBe(4)
      yield* verified()
      yield* TestClock.adjust("15 seconds")
      yield* flood("second")
      expect(issuer.reads() - before).toBe(5)
      // The flood itself keeps the keys fresh: a rotation in the middle of it is noticed.
      const rotated = yield* FakeIssuer.makeKey("rotated")
      issuer.keys = [key.jwk, rotated.jwk]
      yield* TestClock.adjust("15 seconds")
      yield* flood("third")
      expect((yield* verified({}, {}, rotated)).userId).toBe("ada")
      expect(issuer.reads() - before).toBe(6)
    })
  )

  it.effect("known keys are good while the issuer is out, for ten minutes; unknown ones cannot be judged", () =>
    Effect.gen(function* () {
      const { issuer, verified } = yield* started
      yield* verified()
      issuer.isOut = true
      const other = yield* FakeIssuer.makeKey("other")
      expect(yield* Effect.flip(verified({}, {}, other))).toMatchObject({ because: "unavailable" })
      for (const minutes of [3, 6]) {
        yield* TestClock.adjust(Duration.minutes(minutes))
        const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        yield* verified({ iat: now, exp: now + 60 })
      }
      yield* TestClock.adjust("1 minute")
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      expect(yield* Effect.flip(verified({ iat: now, exp: now + 60 }))).toMatchObject({ because: "unavailable" })
      issuer.isOut = false
      yield* TestClock.adjust("1 minute")
      yield* verified({ iat: now, exp: now + 3_600 })
    })
  )

  it.effect("metadata about another issuer, or with keys that are not behind TLS, is not believed", () =>
    Effect.gen(function* () {
      for (const metadata of [
        { issuer: "https://login.example" },
        // The same server by a name that is not known to be this machine.
        { jwks_uri: (url: string) => `${url.replace("127.0.0.1", "[::ffff:127.0.0.1]")}/jwks` },
        { jwks_uri: "keys" },
        { jwks_uri: undefined }
      ]) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* TestClock.setTime(day * 1000)
            const issuer = yield* FakeIssuer.start
            const key = yield* FakeIssuer.makeKey("first")
            issuer.keys = [key.jwk]
            const { jwks_uri: uri } = metadata
            issuer.metadata = typeof uri === "function" ? { jwks_uri: uri(issuer.url) } : metadata
            const oidc = Context.get(
              yield* Layer.build(
                OidcTokens.layer(settingsOf([[issuer.url, "*"]])).pipe(Layer.provide(NodeHttpClient.layerUndici))
              ),
              OidcTokens
            )
            const token = yield* FakeIssuer.sign(key, {
              iss: issuer.url,
              aud: audience,
              sub: "ada",
              tenant: "acme",
              iat: day,
              exp: day + 60
            })
            expect(yield* Effect.flip(oidc.verify(token))).toMatchObject({ because: "unavailable" })
            expect(issuer.reads()).toBe(0)
          })
        )
      }
    })
  )
})
