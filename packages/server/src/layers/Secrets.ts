/**
 * The deployment's secrets and what is made of them: tokens, and the cipher of device tokens.
 */
import { Effect, Layer, Option, Path, Redacted, Result, Schema } from "effect"
import { Kdf } from "effect/crypto"
import { Hex } from "effect/encoding"
import type { DeliveryId } from "@beckon/domain/Delivery"
import * as PushReceipt from "@beckon/infra/callbacks/PushReceipt"
import * as JwtTokens from "@beckon/infra/security/JwtTokens"
import * as SecretFile from "@beckon/infra/security/SecretFile"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import { CallbackSettings } from "../api/CallbackSettings.ts"
import { Receipts } from "../delivery/Receipts.ts"
import { ServerConfig } from "./ServerConfig.ts"

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

export const layerTokens = Layer.unwrap(
  Effect.map(jwtSecret, (secret) => Layer.merge(JwtTokens.layerVerifier(secret), JwtTokens.layerIssuer(secret)))
)

const deviceTokenSecret = Effect.gen(function* () {
  const { deviceTokenSecret } = yield* ServerConfig
  if (Option.isNone(deviceTokenSecret)) return yield* inDataDir("device-tokens.secret")
  const bytes = Hex.decode(Redacted.value(deviceTokenSecret.value).trim())
  if (Result.isFailure(bytes) || bytes.success.length !== SecretFile.secretBytes) {
    const expected = `${SecretFile.secretBytes} bytes in hexadecimal`
    return yield* new SecretNotHex({ setting: "BECKON_DEVICE_TOKEN_SECRET", expected })
  }
  return Redacted.make(bytes.success)
})

/** Made of the secret of device tokens, so that there is no other one to keep. */
const receiptSecret = Effect.gen(function* () {
  const kdf = yield* Kdf.Kdf
  const key = yield* kdf.derive(Kdf.hkdfSha256, Redacted.value(yield* deviceTokenSecret), {
    salt: new Uint8Array(0),
    length: 32,
    info: new TextEncoder().encode("beckon push receipts")
  })
  return Redacted.make(key)
}).pipe(Effect.provide(Kdf.layerWebCrypto))

export const layerReceipts = Layer.effect(
  Receipts,
  Effect.map(receiptSecret, (secret) => ({
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
      receiptSecret: yield* receiptSecret,
      publicUrl: Option.getOrUndefined(Option.map(config.publicUrl, ({ href }) => href))
    })
  })
)

export const layerCipher = Layer.unwrap(Effect.map(deviceTokenSecret, TokenCipher.layer))
