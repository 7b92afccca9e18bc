import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TokenCipher } from "../../src/security/TokenCipher.ts"

const secret = (byte: number, length = 32) => Redacted.make(new Uint8Array(length).fill(byte))
const under = (byte: number) => Effect.provide(TokenCipher.layer(secret(byte)))

const ada = { tenantId: TenantId.make("acme"), userId: UserId.make("ada") }
const token = "fcm:ø👋" + "x".repeat(4_000)

describe("TokenCipher", () => {
  it.effect("opens what it sealed, and never seals the same twice", () =>
    Effect.gen(function* () {
      const cipher = yield* TokenCipher
      const [one, two] = [yield* cipher.seal(ada, token), yield* cipher.seal(ada, token)]
      expect(yield* cipher.open(ada, one)).toBe(token)
      expect(yield* cipher.open(ada, two)).toBe(token)
      expect(one.bytes).not.toEqual(two.bytes)
      expect(one.bytes).toHaveLength(12 + Buffer.byteLength(token) + 16)
    }).pipe(under(1))
  )

  it.effect("opens for the same tenant and user only, and nothing that was changed", () =>
    Effect.gen(function* () {
      const cipher = yield* TokenCipher
      const sealed = yield* cipher.seal(ada, token)
      const strangers = [
        { ...ada, userId: UserId.make("bob") },
        { ...ada, tenantId: TenantId.make("other") }
      ]
      for (const stranger of strangers) {
        expect(yield* Effect.flip(cipher.open(stranger, sealed))).toMatchObject({ _tag: "TokenNotOpened" })
      }
      for (const at of [0, 12, sealed.bytes.length - 1]) {
        const bytes = Uint8Array.from(sealed.bytes, (byte, index) => (index === at ? byte ^ 1 : byte))
        expect(yield* Effect.flip(cipher.open(ada, { ...sealed, bytes }))).toMatchObject({ _tag: "TokenNotOpened" })
      }
      expect(yield* Effect.flip(cipher.open(ada, { ...sealed, bytes: new Uint8Array(3) }))).toMatchObject({
        _tag: "TokenNotOpened"
      })
    }).pipe(under(1))
  )

  it.effect("opens the secret of a webhook for its tenant and endpoint only, and never as a device token", () =>
    Effect.gen(function* () {
      const cipher = yield* TokenCipher
      const tenantId = TenantId.make("acme")
      const whsec = Redacted.make("whsec_c2VjcmV0IG9mIGFuIGVuZHBvaW50")
      const sealed = yield* cipher.sealSecret(tenantId, "ada", whsec)
      expect(Redacted.value(yield* cipher.openSecret(tenantId, "ada", sealed))).toBe(Redacted.value(whsec))
      expect(JSON.stringify(yield* cipher.openSecret(tenantId, "ada", sealed))).not.toContain("whsec_")
      expect((yield* cipher.sealSecret(tenantId, "ada", whsec)).bytes).not.toEqual(sealed.bytes)
      const refused = [
        Effect.asVoid(cipher.openSecret(tenantId, "bob", sealed)),
        Effect.asVoid(cipher.openSecret(TenantId.make("other"), "ada", sealed)),
        // An endpoint of the id of a user, and the other way round.
        Effect.asVoid(cipher.open(ada, sealed)),
        Effect.asVoid(cipher.openSecret(tenantId, "ada", yield* cipher.seal(ada, token))),
        Effect.asVoid(cipher.openSecret(tenantId, "ada", { ...sealed, keyId: "other" }))
      ]
      for (const open of refused) expect(yield* Effect.flip(open)).toMatchObject({ _tag: "TokenNotOpened" })
    }).pipe(under(1))
  )

  it.effect("opens what earlier versions have sealed", () =>
    Effect.gen(function* () {
      const cipher = yield* TokenCipher
      const bytes = Buffer.from(
        "9950435a13e8e9a8faad5688ca3ab708a92d4cb55ada2131cee9dad686e1fb08c85f6390ecd384ce",
        "hex"
      )
      expect(yield* cipher.open(ada, { keyId: "58e987d1513df58d", bytes })).toBe("device-token")
      expect(Buffer.from(yield* cipher.lookupHash(ada.tenantId, "device-token")).toString("hex")).toBe(
        "15f4d32777cd9b521769ab5ede42c51bd3d86dd9f04ee7e3611c96d8ea030c0f"
      )
    }).pipe(under(1))
  )

  it.effect("hashes the same token of one tenant alike, and of two tenants or under two secrets differently", () =>
    Effect.gen(function* () {
      const hash = (tenantId: TenantId, byte: number) =>
        Effect.flatMap(TokenCipher, (cipher) => cipher.lookupHash(tenantId, token)).pipe(
          under(byte),
          Effect.map((bytes) => Buffer.from(bytes).toString("hex"))
        )
      const first = yield* hash(ada.tenantId, 1)
      expect(first).toHaveLength(64)
      expect(yield* hash(ada.tenantId, 1)).toBe(first)
      expect(yield* hash(TenantId.make("other"), 1)).not.toBe(first)
      expect(yield* hash(ada.tenantId, 2)).not.toBe(first)
    })
  )

  it.effect("does not open a token of another secret, and says that the secret is another", () =>
    Effect.gen(function* () {
      const sealed = yield* Effect.flatMap(TokenCipher, (cipher) => cipher.seal(ada, token)).pipe(under(1))
      const error = yield* Effect.flatMap(TokenCipher, (cipher) => cipher.open(ada, sealed)).pipe(under(2), Effect.flip)
      expect(error.message).toBe(`No secret has the key id ${sealed.keyId}`)
    })
  )

  it.effect("refuses a secret of another length", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(TokenCipher, TokenCipher.layer(secret(1, 31))))
      expect(error).toMatchObject({ _tag: "TokenSecretInvalid", length: 31 })
    })
  )
})
