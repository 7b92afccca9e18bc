/**
 * The deployment's secrets and what is made of them: tokens, and the cipher of device tokens.
 */
import { Effect, Layer, Option, Path, Redacted, Schema } from "effect"
import * as JwtTokens from "@beckon/infra/security/JwtTokens"
import * as SecretFile from "@beckon/infra/security/SecretFile"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import { ServerConfig } from "./ServerConfig.ts"

/** RFC 7518 section 3.2: a key of the hash's size or larger. */
const minSecretBytes = 32

/** A secret of the environment that is too short to be one. */
export class SecretTooShort extends Schema.TaggedError<SecretTooShort>()("SecretTooShort", { setting: Schema.String }) {
  override get message() {
    return `${this.setting} must have at least ${minSecretBytes} bytes`
  }
}

const inDataDir = Effect.fnUntraced(function* (name: string) {
  const { dataDir } = yield* ServerConfig
  const paths = yield* Path.Path
  return yield* SecretFile.readOrMake(paths.join(dataDir, name))
})

const jwtSecret = Effect.gen(function* () {
  const config = yield* ServerConfig
  if (Option.isNone(config.jwtSecret)) return yield* inDataDir("jwt.secret")
  const bytes = new TextEncoder().encode(Redacted.value(config.jwtSecret.value))
  if (bytes.length < minSecretBytes) return yield* new SecretTooShort({ setting: "BECKON_JWT_SECRET" })
  return Redacted.make(bytes)
})

export const layerTokens = Layer.unwrap(
  Effect.map(jwtSecret, (secret) => Layer.merge(JwtTokens.layerVerifier(secret), JwtTokens.layerIssuer(secret)))
)

export const layerCipher = Layer.unwrap(Effect.map(inDataDir("device-tokens.secret"), TokenCipher.layer))
