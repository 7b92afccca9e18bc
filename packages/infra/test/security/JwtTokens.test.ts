import { UserId, TenantId } from "@beckon/domain/Identifiers"
import { TokenIssuer, TokenVerifier } from "@beckon/domain/ports/Tokens"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { SignJWT } from "jose"
import * as JwtTokens from "../../src/security/JwtTokens.ts"

const ada = UserId.make("ada")
const bytes = new TextEncoder().encode("a secret of the tests, 32 bytes or more")
const secret = Redacted.make(bytes)
const layer = Layer.merge(JwtTokens.layerVerifier(secret), JwtTokens.layerIssuer(secret))

/** Seconds since 1970. */
const now = 1_780_000_000

const sign = (claims: Record<string, unknown>) =>
  Effect.promise(() =>
    new SignJWT({ sub: "ada", tenant: "acme", roles: ["user"], exp: now + 60, iat: now, ...claims })
      .setProtectedHeader({ alg: "HS256" })
      .sign(bytes)
  )

const refusalOf = Effect.fnUntraced(function* (claims: Record<string, unknown>) {
  const verifier = yield* TokenVerifier
  const { reason } = yield* Effect.flip(verifier.verify(yield* sign(claims)))
  return reason
})

describe("tokens of the deployment's own secret", () => {
  it.effect("have an age: without the time of their issue, or with one that is still to come, they are refused", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now * 1_000)
      const verifier = yield* TokenVerifier
      assert.include(yield* verifier.verify(yield* sign({})), { userId: ada, issuedAt: now * 1_000 })
      assert.strictEqual(yield* refusalOf({ iat: undefined }), "token: the claim iat is not acceptable")
      assert.strictEqual(yield* refusalOf({ iat: now + 6 }), "token: the claim iat is in the future")
      assert.include(yield* verifier.verify(yield* sign({ iat: now + 5 })), { userId: ada })
    }).pipe(Effect.provide(layer))
  )

  it.effect("say when they were issued", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now * 1_000 + 900)
      const issuer = yield* TokenIssuer
      const claims = { sub: ada, tenant: TenantId.make("acme"), roles: ["user"] }
      const token = yield* issuer.issue(claims, Duration.minutes(1))
      const verifier = yield* TokenVerifier
      assert.strictEqual((yield* verifier.verify(token)).issuedAt, now * 1_000)
    }).pipe(Effect.provide(layer))
  )
})
