import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { TokenIssuer, TokenVerifier } from "@beckon/domain/ports/Tokens"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, FileSystem, Layer } from "effect"
import * as Secrets from "../../src/layers/Secrets.ts"
import { ServerConfig } from "../../src/layers/ServerConfig.ts"

const owner = { tenantId: TenantId.make("default"), userId: UserId.make("alice") }

const settings = (env: Record<string, string>) =>
  ServerConfig.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

/** A folder whose secrets were made, and what was sealed and signed with them. */
const made = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped()
  const here = settings({ BECKON_DATA_DIR: folder })
  const sealed = yield* TokenCipher.use((cipher) => cipher.seal(owner, "token of a phone")).pipe(
    Effect.provide(Layer.provide(Secrets.layerCipher, here))
  )
  const token = yield* TokenIssuer.use((issuer) =>
    issuer.issue({ sub: owner.userId, tenant: owner.tenantId, roles: ["user"] }, Duration.hours(1))
  ).pipe(Effect.provide(Layer.provide(Secrets.layerTokens, here)))
  const read = (name: string) => Effect.map(files.readFileString(`${folder}/${name}`), (text) => text.trim())
  const elsewhere = yield* files.makeTempDirectoryScoped()
  return { sealed, token, elsewhere, jwt: yield* read("jwt.secret"), device: yield* read("device-tokens.secret") }
})

describe("secrets of the environment", () => {
  it.effect("stand for the files of another node", () =>
    Effect.gen(function* () {
      const { device, elsewhere, jwt, sealed, token } = yield* made
      const there = settings({
        BECKON_DATA_DIR: elsewhere,
        BECKON_JWT_SECRET: `hex:${jwt}`,
        BECKON_DEVICE_TOKEN_SECRET: device
      })
      const opened = yield* TokenCipher.use((cipher) => cipher.open(owner, sealed)).pipe(
        Effect.provide(Layer.provide(Secrets.layerCipher, there))
      )
      expect(opened).toBe("token of a phone")
      const identity = yield* TokenVerifier.use((verifier) => verifier.verify(token)).pipe(
        Effect.provide(Layer.provide(Secrets.layerTokens, there))
      )
      expect(identity.userId).toBe("alice")
      const files = yield* FileSystem.FileSystem
      expect(yield* files.readDirectory(elsewhere)).toEqual([])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  for (const device of ["12", "zz".repeat(32), "ab".repeat(31), "ab".repeat(33)]) {
    it.effect(
      `are refused without being told: a device key of ${device.length} characters, ${device.slice(0, 2)}`,
      () =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(
            Effect.scoped(
              Layer.build(
                Layer.provide(
                  Secrets.layerCipher,
                  settings({ BECKON_DEVICE_TOKEN_SECRET: device, BECKON_DATA_DIR: "/dev/null" })
                )
              )
            )
          )
          expect(error).toMatchObject({
            message: "BECKON_DEVICE_TOKEN_SECRET must be 32 bytes in hexadecimal"
          })
        }).pipe(Effect.provide(NodeServices.layer))
    )
  }

  it.effect("with names seal by the first, and open what the single one of before has sealed", () =>
    Effect.gen(function* () {
      const { device, elsewhere, sealed } = yield* made
      const keys = (env: Record<string, string>) =>
        Effect.provide(Layer.provide(Secrets.layerCipher, settings({ BECKON_DATA_DIR: elsewhere, ...env })))
      const first = `2026-11:${"ab".repeat(32)}`
      const opened = TokenCipher.use((cipher) => cipher.open(owner, sealed))
      expect(yield* opened.pipe(keys({ BECKON_KEYS: first, BECKON_DEVICE_TOKEN_SECRET: device }))).toBe(
        "token of a phone"
      )
      expect(yield* opened.pipe(keys({ BECKON_KEYS: `${first}, before:${device}` }))).toBe("token of a phone")
      const error = yield* Effect.flip(opened.pipe(keys({ BECKON_KEYS: first })))
      expect(error).toMatchObject({ _tag: "TokenNotOpened", keyId: sealed.keyId })
      const anew = yield* TokenCipher.use((cipher) => cipher.seal(owner, "another")).pipe(
        keys({ BECKON_KEYS: `${first},before:${device}` })
      )
      expect(anew.keyId).toBe("2026-11")
      // Whoever has named keys is not given a file of his own.
      const files = yield* FileSystem.FileSystem
      expect(yield* files.readDirectory(elsewhere)).toEqual([])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  for (const keys of ["a", `a:${"ab".repeat(31)}`, `a:${"xy".repeat(32)}`, `:${"ab".repeat(32)}`, ""]) {
    it.effect(`are refused without being told: ${keys.length} characters of keys, ${keys.slice(0, 4)}`, () =>
      Effect.gen(function* () {
        const building = Layer.build(
          Layer.provide(Secrets.layerCipher, settings({ BECKON_KEYS: `b:${"cd".repeat(32)},${keys}` }))
        )
        const error = yield* Effect.flip(Effect.scoped(building))
        expect(error).toMatchObject({ _tag: "SecretNotHex", setting: "BECKON_KEYS" })
        expect(String(Object(error).message)).toMatch(/^BECKON_KEYS must be pairs of an id .* \(key 2\)$/)
        expect(String(Object(error).message)).not.toContain("abab")
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }

  it.effect("are refused when hex: is followed by something else, or by too little", () =>
    Effect.gen(function* () {
      const failure = (secret: string) =>
        Effect.flip(
          Effect.scoped(Layer.build(Layer.provide(Secrets.layerTokens, settings({ BECKON_JWT_SECRET: secret }))))
        )
      expect(yield* failure(`hex:${"xy".repeat(32)}`)).toMatchObject({ _tag: "SecretNotHex" })
      expect(yield* failure(`hex:${"ab".repeat(31)}`)).toMatchObject({ _tag: "SecretTooShort" })
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
