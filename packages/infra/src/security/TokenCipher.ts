/**
 * Keeps device tokens and the secrets of webhook endpoints secret at rest.
 *
 * **Details**
 *
 * From one secret of 32 bytes, HKDF-SHA-256 makes three keys: one for AES-256-GCM of device tokens, one for AES-256-GCM of
 * webhook secrets, and one for HMAC-SHA-256. What is sealed is bound to its tenant and its user or endpoint as additional
 * data: a row that is copied to another one does not open, and neither kind opens as the other. The key id is part of an HMAC
 * under the third key: it tells secrets apart and tells nothing about them.
 *
 * **Gotchas**
 *
 * Nonces are random (12 bytes): one secret is good for about 2^32 seals of each kind. Under another secret, tokens neither
 * open nor are found again.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { Aead, Kdf, Mac, SecureRandom } from "effect/crypto"
import type { CryptoError } from "effect/crypto/CryptoError"
import { Hex } from "effect/encoding"

/** A token or a webhook secret; `bytes` are the nonce, the ciphertext and the tag. */
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

/** It was sealed under another secret, or for another user or endpoint, or was tampered with. */
export class TokenNotOpened extends Schema.TaggedError<TokenNotOpened>()("TokenNotOpened", {
  keyId: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return this.cause === undefined
      ? `No secret has the key id ${this.keyId}`
      : `What was sealed under ${this.keyId} did not open`
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
    /** Encrypts a secret of a webhook endpoint; never the same twice. */
    readonly sealSecret: (
      tenantId: TenantId,
      endpointId: string,
      secret: Redacted.Redacted
    ) => Effect.Effect<SealedToken, CryptoError>
    readonly openSecret: (
      tenantId: TenantId,
      endpointId: string,
      sealed: SealedToken
    ) => Effect.Effect<Redacted.Redacted, TokenNotOpened>
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
      info: utf8.encode(`beckon ${purpose}`)
    })
  const aeadKeyFor = (purpose: string) => Effect.flatMap(keyFor(purpose), (key) => Aead.key(Aead.aes256Gcm, key))
  return {
    tokens: yield* aeadKeyFor("device token sealing"),
    secrets: yield* aeadKeyFor("webhook secret sealing"),
    hashing: yield* Effect.flatMap(keyFor("device token hashing"), (key) => Mac.key(Mac.hmacSha256, key))
  }
})

/** Seals and opens under one key; `bound` is what the sealed text belongs to. */
const makeBox = Effect.fnUntraced(function* (keyId: string, key: Aead.Key<Aead.AesGcm>) {
  const aead = yield* Aead.Aead
  const random = yield* SecureRandom.SecureRandom
  return {
    seal: Effect.fnUntraced(function* (bound: string, text: string) {
      const nonce = yield* random.randomBytes(nonceLength)
      const ciphertext = yield* aead.encrypt(key, utf8.encode(text), { nonce, aad: utf8.encode(bound) })
      const bytes = new Uint8Array(nonceLength + ciphertext.length)
      bytes.set(nonce)
      bytes.set(ciphertext, nonceLength)
      return { keyId, bytes }
    }),

    open: Effect.fnUntraced(function* (bound: string, sealed: SealedToken) {
      if (sealed.keyId !== keyId) return yield* new TokenNotOpened({ keyId: sealed.keyId })
      const nonce = sealed.bytes.slice(0, nonceLength)
      const plaintext = yield* Effect.mapError(
        aead.decrypt(key, sealed.bytes.slice(nonceLength), { nonce, aad: utf8.encode(bound) }),
        (cause) => new TokenNotOpened({ keyId: sealed.keyId, cause })
      )
      return fromUtf8.decode(plaintext)
    })
  }
})

const make = Effect.fnUntraced(function* (secret: Redacted.Redacted<Uint8Array>) {
  const mac = yield* Mac.Mac
  const keys = yield* derive(secret)
  // A hash is over `tenant NUL token`, so nothing that is hashed begins with a NUL.
  const keyId = Hex.encode((yield* mac.sign(keys.hashing, utf8.encode("\u0000key id"))).subarray(0, 8))
  const tokens = yield* makeBox(keyId, keys.tokens)
  const secrets = yield* makeBox(keyId, keys.secrets)
  // NUL cannot occur in an id, so two endpoints never meet.
  const endpoint = (tenantId: TenantId, endpointId: string) => `${tenantId}\u0000${endpointId}`

  return TokenCipher.of({
    seal: (owner, token) => tokens.seal(Keys.toString(owner), token),
    open: (owner, sealed) => tokens.open(Keys.toString(owner), sealed),
    sealSecret: (tenantId, endpointId, plain) => secrets.seal(endpoint(tenantId, endpointId), Redacted.value(plain)),
    openSecret: (tenantId, endpointId, sealed) =>
      Effect.map(secrets.open(endpoint(tenantId, endpointId), sealed), (text) =>
        Redacted.make(text, { label: "webhook secret" })
      ),
    lookupHash: (tenantId, token) => mac.sign(keys.hashing, utf8.encode(`${tenantId}\u0000${token}`))
  })
})
