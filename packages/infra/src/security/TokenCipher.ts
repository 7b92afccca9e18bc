/**
 * Keeps device tokens secret at rest.
 *
 * **Details**
 *
 * From one secret of 32 bytes, HKDF-SHA-256 makes two keys: one for AES-256-GCM and one for HMAC-SHA-256. What is sealed is
 * bound to its tenant and user as additional data: a row that is copied to another user does not open. The key id is part of
 * an HMAC under the second key: it tells keys apart and tells nothing about them.
 *
 * **Gotchas**
 *
 * Nonces are random (12 bytes): one secret is good for about 2^32 seals. Under another secret, tokens neither open nor are
 * found again.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { Aead, Kdf, Mac, SecureRandom } from "effect/crypto"
import type { CryptoError } from "effect/crypto/CryptoError"
import { Hex } from "effect/encoding"

/** `bytes` are the nonce, the ciphertext and the tag. */
export interface SealedToken {
  readonly keyId: string
  readonly bytes: Uint8Array
}

/** The secret is not 32 bytes long. */
export class TokenSecretInvalid extends Schema.TaggedError<TokenSecretInvalid>()("TokenSecretInvalid", {
  /** Bytes. */
  length: Schema.Int
}) {
  override get message() {
    return `The secret for device tokens must have ${secretLength} bytes, not ${this.length}`
  }
}

/** The token was sealed under another secret, or for another user, or was tampered with. */
export class TokenNotOpened extends Schema.TaggedError<TokenNotOpened>()("TokenNotOpened", {
  keyId: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return this.cause === undefined
      ? `No secret has the key id ${this.keyId}`
      : `A token under ${this.keyId} did not open`
  }
}

const secretLength = 32
const nonceLength = Aead.aes256Gcm.nonceLength
const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder("utf-8", { fatal: true })

export class TokenCipher extends Context.Service<
  TokenCipher,
  {
    /** Encrypts a token for its owner; never the same twice. */
    readonly seal: (owner: MailboxKey, token: string) => Effect.Effect<SealedToken, CryptoError>
    readonly open: (owner: MailboxKey, sealed: SealedToken) => Effect.Effect<string, TokenNotOpened>
    /** 32 bytes that are the same for the same token of the same tenant, and tell nothing without the secret. */
    readonly lookupHash: (tenantId: TenantId, token: string) => Effect.Effect<Uint8Array, CryptoError>
  }
>()("@beckon/infra/security/TokenCipher") {
  /** `secret`: 32 random bytes. */
  static readonly layer = (
    secret: Redacted.Redacted<Uint8Array>
  ): Layer.Layer<TokenCipher, TokenSecretInvalid | CryptoError> =>
    Layer.effect(TokenCipher, make(secret)).pipe(
      Layer.provide(
        Layer.mergeAll(Aead.layerWebCrypto, Mac.layerWebCrypto, Kdf.layerWebCrypto).pipe(
          Layer.provideMerge(SecureRandom.layerWebCrypto)
        )
      )
    )
}

const derive = Effect.fnUntraced(function* (secret: Redacted.Redacted<Uint8Array>) {
  const bytes = Redacted.value(secret)
  if (bytes.length !== secretLength) return yield* new TokenSecretInvalid({ length: bytes.length })
  const kdf = yield* Kdf.Kdf
  const keyFor = (purpose: string) =>
    kdf.derive(Kdf.hkdfSha256, bytes, {
      salt: new Uint8Array(0),
      length: 32,
      info: utf8.encode(`beckon device token ${purpose}`)
    })
  return {
    sealing: yield* Effect.flatMap(keyFor("sealing"), (key) => Aead.key(Aead.aes256Gcm, key)),
    hashing: yield* Effect.flatMap(keyFor("hashing"), (key) => Mac.key(Mac.hmacSha256, key))
  }
})

const make = Effect.fnUntraced(function* (secret: Redacted.Redacted<Uint8Array>) {
  const aead = yield* Aead.Aead
  const mac = yield* Mac.Mac
  const random = yield* SecureRandom.SecureRandom
  const { hashing, sealing } = yield* derive(secret)
  // A hash is over `tenant NUL token`, so nothing that is hashed begins with a NUL.
  const keyId = Hex.encode((yield* mac.sign(hashing, utf8.encode("\u0000key id"))).subarray(0, 8))

  return TokenCipher.of({
    seal: Effect.fnUntraced(function* (owner, token) {
      const nonce = yield* random.randomBytes(nonceLength)
      const aad = utf8.encode(Keys.toString(owner))
      const ciphertext = yield* aead.encrypt(sealing, utf8.encode(token), { nonce, aad })
      const bytes = new Uint8Array(nonceLength + ciphertext.length)
      bytes.set(nonce)
      bytes.set(ciphertext, nonceLength)
      return { keyId, bytes }
    }),

    open: Effect.fnUntraced(function* (owner, sealed) {
      if (sealed.keyId !== keyId) return yield* new TokenNotOpened({ keyId: sealed.keyId })
      const nonce = sealed.bytes.slice(0, nonceLength)
      const aad = utf8.encode(Keys.toString(owner))
      const plaintext = yield* Effect.mapError(
        aead.decrypt(sealing, sealed.bytes.slice(nonceLength), { nonce, aad }),
        (cause) => new TokenNotOpened({ keyId: sealed.keyId, cause })
      )
      return fromUtf8.decode(plaintext)
    }),

    lookupHash: (tenantId, token) => mac.sign(hashing, utf8.encode(`${tenantId}\u0000${token}`))
  })
})
