/**
 * The keys under which secrets are kept at rest: the first seals, all of them open.
 *
 * **Details**
 *
 * From each secret of 32 bytes, HKDF-SHA-256 makes a key of AES-256-GCM for every purpose, so that nothing that was sealed for one
 * opens as another. What is sealed is bound to its tenant and its row as additional data: a row that is copied to another one
 * does not open. The key id is kept beside it and says which secret opens it.
 *
 * A secret without a name is called by its fingerprint, a part of an HMAC that tells nothing about it. A secret that has a name
 * opens what was sealed under its fingerprint too.
 *
 * **Gotchas**
 *
 * Nonces are random (12 bytes): one secret is good for about 2^32 seals of each purpose. A name belongs to its bytes for good:
 * what was sealed under it does not open with others.
 */
import { Array, Context, Effect, Layer, Redacted, Schema } from "effect"
import { Aead, Kdf, Mac, SecureRandom } from "effect/crypto"
import type { CryptoError } from "effect/crypto/CryptoError"
import { Hex } from "effect/encoding"

/** `bytes` are the nonce, the ciphertext and the tag. */
export interface Sealed {
  readonly keyId: string
  readonly bytes: Uint8Array
}

/** A secret of 32 random bytes, and what it is called if not by its fingerprint. */
export interface RingKey {
  readonly id?: string
  readonly secret: Redacted.Redacted<Uint8Array>
}

export type Purpose = "device token" | "webhook secret" | "provider credentials" | "device token hash key"

/** The secret is not 32 bytes long. */
export class TokenSecretInvalid extends Schema.TaggedError<TokenSecretInvalid>()("TokenSecretInvalid", {
  /** Bytes. */
  length: Schema.Int
}) {
  override get message() {
    return `The secret for device tokens must have ${secretLength} bytes, not ${this.length}`
  }
}

/** It was sealed under a secret that is not there any more, or for another row, or was tampered with. */
export class TokenNotOpened extends Schema.TaggedError<TokenNotOpened>()("TokenNotOpened", {
  keyId: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return this.isKeyMissing
      ? `No secret has the key id ${this.keyId}`
      : `What was sealed under ${this.keyId} did not open`
  }

  /** Whether it opens again when the secret is put back. */
  get isKeyMissing(): boolean {
    return this.cause === undefined
  }
}

const secretLength = 32
const nonceLength = Aead.aes256Gcm.nonceLength
const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder("utf-8", { fatal: true })

/** NUL cannot occur in an id, so two rows never meet. */
export const rowOf = (...ids: ReadonlyArray<string>): string => ids.join("\u0000")

interface Opened {
  readonly id: string
  readonly fingerprint: string
  readonly boxes: Readonly<Record<Purpose, Aead.Key<Aead.AesGcm>>>
  readonly hashing: Redacted.Redacted<Uint8Array>
  readonly secret: RingKey["secret"]
}

const derive = Effect.fnUntraced(function* ({ id, secret }: RingKey) {
  const bytes = Redacted.value(secret)
  if (bytes.length !== secretLength) return yield* new TokenSecretInvalid({ length: bytes.length })
  const kdf = yield* Kdf.Kdf
  const mac = yield* Mac.Mac
  const keyFor = (info: string) =>
    kdf.derive(Kdf.hkdfSha256, bytes, { salt: new Uint8Array(0), length: 32, info: utf8.encode(`beckon ${info}`) })
  const boxFor = (purpose: Purpose) =>
    Effect.flatMap(keyFor(`${purpose} sealing`), (key) => Aead.key(Aead.aes256Gcm, key))
  const hashing = yield* keyFor("device token hashing")
  // A hash is over `tenant NUL token`, so nothing that is hashed begins with a NUL.
  const print = yield* mac.sign(yield* Mac.key(Mac.hmacSha256, hashing), utf8.encode("\u0000key id"))
  const fingerprint = Hex.encode(print.subarray(0, 8))
  const opened: Opened = {
    id: id ?? fingerprint,
    fingerprint,
    hashing: Redacted.make(hashing),
    secret,
    boxes: {
      "device token": yield* boxFor("device token"),
      "webhook secret": yield* boxFor("webhook secret"),
      "provider credentials": yield* boxFor("provider credentials"),
      "device token hash key": yield* boxFor("device token hash key")
    }
  }
  return opened
})

export class KeyRing extends Context.Service<
  KeyRing,
  {
    /** The id of the key that seals. */
    readonly sealing: string
    /** Every id that opens. */
    readonly ids: ReadonlyArray<string>
    /** Encrypts for one row (`rowOf`); never the same twice. */
    readonly seal: (purpose: Purpose, row: string, plain: Redacted.Redacted) => Effect.Effect<Sealed, CryptoError>
    readonly open: (purpose: Purpose, row: string, sealed: Sealed) => Effect.Effect<Redacted.Redacted, TokenNotOpened>
    /** The key of HMAC-SHA-256 for lookups that the oldest secret gives. */
    readonly oldestHashKey: Redacted.Redacted<Uint8Array>
    /** The secrets themselves, the one that seals first: for other keys that are made of them. */
    readonly secrets: Array.NonEmptyReadonlyArray<Redacted.Redacted<Uint8Array>>
  }
>()("@beckon/infra/security/KeyRing") {
  static readonly layer = (
    keys: Array.NonEmptyReadonlyArray<RingKey>
  ): Layer.Layer<KeyRing, TokenSecretInvalid | CryptoError> =>
    Layer.effect(KeyRing, make(keys)).pipe(
      Layer.provide(
        Layer.mergeAll(Aead.layerWebCrypto, Mac.layerWebCrypto, Kdf.layerWebCrypto).pipe(
          Layer.provideMerge(SecureRandom.layerWebCrypto)
        )
      )
    )
}

const make = Effect.fnUntraced(function* (keys: Array.NonEmptyReadonlyArray<RingKey>) {
  const aead = yield* Aead.Aead
  const random = yield* SecureRandom.SecureRandom
  const opened = yield* Effect.forEach(keys, derive)
  const current = Array.headNonEmpty(opened)
  // Names win: one that looks like another's fingerprint is its own key's.
  const byId = new Map([
    ...opened.map((key) => [key.fingerprint, key] as const),
    ...opened.map((key) => [key.id, key] as const)
  ])

  return KeyRing.of({
    sealing: current.id,
    ids: [...byId.keys()],
    oldestHashKey: Array.lastNonEmpty(opened).hashing,
    secrets: Array.map(opened, ({ secret }) => secret),

    seal: Effect.fnUntraced(function* (purpose, row, plain) {
      const nonce = yield* random.randomBytes(nonceLength)
      const text = utf8.encode(Redacted.value(plain))
      const ciphertext = yield* aead.encrypt(current.boxes[purpose], text, { nonce, aad: utf8.encode(row) })
      const bytes = new Uint8Array(nonceLength + ciphertext.length)
      bytes.set(nonce)
      bytes.set(ciphertext, nonceLength)
      return { keyId: current.id, bytes }
    }),

    open: Effect.fnUntraced(function* (purpose, row, { bytes, keyId }) {
      const key = byId.get(keyId)
      if (key === undefined) return yield* new TokenNotOpened({ keyId })
      const nonce = bytes.slice(0, nonceLength)
      const plaintext = yield* Effect.mapError(
        aead.decrypt(key.boxes[purpose], bytes.slice(nonceLength), { nonce, aad: utf8.encode(row) }),
        (cause) => new TokenNotOpened({ keyId, cause })
      )
      return Redacted.make(fromUtf8.decode(plaintext), { label: purpose })
    })
  })
})
