/**
 * A secret that a deployment makes for itself: a file of random bytes that only its owner may read.
 */
import { Effect, FileSystem, Path, Redacted, Result, Schema } from "effect"
import type { PlatformError } from "effect"
import { SecureRandom } from "effect/crypto"
import { Hex } from "effect/encoding"

/** The secret could not be read or made. */
export class SecretFileUnusable extends Schema.TaggedError<SecretFileUnusable>()("SecretFileUnusable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The secret file ${this.path} cannot be used: ${this.reason}`
  }
}

/** Bytes of a secret: as many as HS256 and AES-256 want. */
export const secretBytes = 32

/**
 * Reads the secret of `path`, or makes it: 32 random bytes in hexadecimal, readable only by the owner of the process. Two
 * processes that make it at once end with the same one.
 */
export const readOrMake = Effect.fn("SecretFile.readOrMake")(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const unusable = (reason: string) => new SecretFileUnusable({ path, reason })
  const toUnusable = ({ reason }: PlatformError.PlatformError) =>
    unusable(reason.cause instanceof Error ? reason.cause.message : (reason.description ?? reason._tag))

  yield* Effect.mapError(files.makeDirectory(paths.dirname(path), { recursive: true }), toUnusable)
  const fresh = Hex.encode(SecureRandom.randomBytesUnsafe(secretBytes))
  yield* files.writeFileString(path, `${fresh}\n`, { flag: "wx", mode: 0o600 }).pipe(
    Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.void),
    Effect.mapError(toUnusable)
  )
  const text = yield* Effect.mapError(files.readFileString(path), toUnusable)
  const bytes = Hex.decode(text.trim())
  if (Result.isFailure(bytes) || bytes.success.length !== secretBytes) {
    return yield* unusable(`it must hold ${secretBytes} bytes in hexadecimal`)
  }
  return Redacted.make(bytes.success, { label: "secret" })
})
