/**
 * The deployment's secrets and what is made of them: tokens, and the keys of what is secret at rest.
 */
import { Array, Effect, FileSystem, Layer, Option, Path, Redacted, Result, Schema } from "effect"
import { Kdf } from "effect/crypto"
import { Hex } from "effect/encoding"
import type { DeliveryId } from "@beckon/domain/Delivery"
import * as PushReceipt from "@beckon/infra/callbacks/PushReceipt"
import * as JwtTokens from "@beckon/infra/security/JwtTokens"
import * as SecretFile from "@beckon/infra/security/SecretFile"
import { KeyRing } from "@beckon/infra/security/KeyRing"
import type { RingKey } from "@beckon/infra/security/KeyRing"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import { CallbackSettings } from "../api/CallbackSettings.ts"
import { Receipts } from "../delivery/Receipts.ts"
import { isJoined, ServerConfig } from "./ServerConfig.ts"

/** RFC 7518 section 3.2: a key of the hash's size or larger. */
const minSecretBytes = 32

/** A secret of the environment that is too short to be one. */
export class SecretTooShort extends Schema.TaggedError<SecretTooShort>()("SecretTooShort", { setting: Schema.String }) {
  override get message() {
    return `${this.setting} must have at least ${minSecretBytes} bytes`
  }
}

/** A secret of the environment that is not written as it must be. Does not quote it. */
export class SecretNotHex extends Schema.TaggedError<SecretNotHex>()("SecretNotHex", {
  setting: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.setting} must be ${this.expected}`
  }
}

const inDataDir = Effect.fnUntraced(function* (name: string) {
  const { dataDir } = yield* ServerConfig
  const paths = yield* Path.Path
  return yield* SecretFile.readOrMake(paths.join(dataDir, name))
})

const hexPrefix = "hex:"

/** `hex:` and digits, for the bytes of `jwt.secret`, which are no text; anything else is the text itself. */
const bytesOf = (text: string): Effect.Effect<Uint8Array, SecretNotHex> => {
  if (!text.startsWith(hexPrefix)) return Effect.succeed(new TextEncoder().encode(text))
  const bytes = Hex.decode(text.slice(hexPrefix.length).trim())
  return Result.isSuccess(bytes)
    ? Effect.succeed(bytes.success)
    : Effect.fail(new SecretNotHex({ setting: "BECKON_JWT_SECRET", expected: "hexadecimal digits after hex:" }))
}

const jwtSecret = Effect.gen(function* () {
  const config = yield* ServerConfig
  if (Option.isNone(config.jwtSecret)) return yield* inDataDir("jwt.secret")
  const bytes = yield* bytesOf(Redacted.value(config.jwtSecret.value))
  if (bytes.length < minSecretBytes) return yield* new SecretTooShort({ setting: "BECKON_JWT_SECRET" })
  return Redacted.make(bytes)
})

/** Makes tokens of the deployment; who may call is the business of `layers/Identity.ts`. */
export const layerIssuer = Layer.unwrap(Effect.map(jwtSecret, JwtTokens.layerIssuer))

export const layerTokens = Layer.unwrap(
  Effect.map(jwtSecret, (secret) => Layer.merge(JwtTokens.layerVerifier(secret), JwtTokens.layerIssuer(secret)))
)

const deviceTokenFile = "device-tokens.secret"

/** The key that there was before there were many; its own file is only made where there is no other key. */
const deviceTokenSecret = Effect.gen(function* () {
  const config = yield* ServerConfig
  const { deviceTokenSecret } = config
  if (Option.isNone(deviceTokenSecret)) {
    if (Option.isNone(config.keys)) return yield* inDataDir(deviceTokenFile)
    // Nodes that are joined have no file in common.
    if (isJoined(config)) return undefined
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const isThere = yield* Effect.orElseSucceed(files.exists(paths.join(config.dataDir, deviceTokenFile)), () => false)
    return isThere ? yield* inDataDir(deviceTokenFile) : undefined
  }
  const bytes = Hex.decode(Redacted.value(deviceTokenSecret.value).trim())
  if (Result.isFailure(bytes) || bytes.success.length !== SecretFile.secretBytes) {
    const expected = `${SecretFile.secretBytes} bytes in hexadecimal`
    return yield* new SecretNotHex({ setting: "BECKON_DEVICE_TOKEN_SECRET", expected })
  }
  return Redacted.make(bytes.success)
})

const keyPattern = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):([0-9a-fA-F]{64})$/

/** Not written as it must be; says the place and not a word of the key. */
const badKeys = (place: number, expected: string) =>
  new SecretNotHex({ setting: "BECKON_KEYS", expected: `${expected} (key ${place})` })

const keysOf = Effect.fnUntraced(function* (setting: Redacted.Redacted) {
  const keys: Array<RingKey> = []
  for (const [index, text] of Redacted.value(setting).split(",").entries()) {
    const match = keyPattern.exec(text.trim())
    const bytes = Hex.decode(match?.[2] ?? "")
    if (match?.[1] === undefined || Result.isFailure(bytes)) {
      const expected = "pairs of an id (at most 32 letters, digits, _ . -) and 64 hexadecimal digits, like id:0123…"
      return yield* badKeys(index + 1, expected)
    }
    if (keys.some(({ id }) => id === match[1])) return yield* badKeys(index + 1, "without an id that comes twice")
    keys.push({ id: match[1], secret: Redacted.make(bytes.success, { label: "key" }) })
  }
  return keys
})

/** The first seals. */
const ringKeys = Effect.gen(function* () {
  const { keys } = yield* ServerConfig
  const named = Option.isSome(keys) ? yield* keysOf(keys.value) : []
  const former = yield* deviceTokenSecret
  const all: ReadonlyArray<RingKey> = former === undefined ? named : [...named, { secret: former }]
  return Array.isReadonlyArrayNonEmpty(all) ? all : yield* badKeys(1, "at least one key")
})

/** Of each key, so that there is no other secret to keep; the first makes receipts, those of all are good. */
const receiptSecrets = Effect.gen(function* () {
  const kdf = yield* Kdf.Kdf
  return yield* Effect.forEach(yield* ringKeys, ({ secret }) =>
    Effect.map(
      kdf.derive(Kdf.hkdfSha256, Redacted.value(secret), {
        salt: new Uint8Array(0),
        length: 32,
        info: new TextEncoder().encode("beckon push receipts")
      }),
      (key) => Redacted.make(key, { label: "receipt secret" })
    )
  )
}).pipe(Effect.provide(Kdf.layerWebCrypto))

export const layerReceipts = Layer.effect(
  Receipts,
  Effect.map(receiptSecrets, ([secret]) => ({
    of: (id: DeliveryId) => Effect.sync(() => PushReceipt.receiptOf(secret, id))
  }))
)

/** What the callbacks of providers are checked with. */
export const layerCallbacks = Layer.unwrap(
  Effect.gen(function* () {
    const config = yield* ServerConfig
    return CallbackSettings.layer({
      sendgridPublicKey: Option.getOrUndefined(config.sendgridPublicKey),
      twilioAuthToken: Option.getOrUndefined(config.twilioAuthToken),
      whatsappAppSecret: Option.getOrUndefined(config.whatsappAppSecret),
      whatsappVerifyToken: Option.getOrUndefined(config.whatsappVerifyToken),
      receiptSecrets: yield* receiptSecrets,
      publicUrl: Option.getOrUndefined(Option.map(config.publicUrl, ({ href }) => href))
    })
  })
)

/** What is secret at rest: `KeyRing`, and the cipher over it. */
export const layerCipher = TokenCipher.layerOverRing.pipe(
  Layer.provideMerge(Layer.unwrap(Effect.map(ringKeys, KeyRing.layer)))
)
