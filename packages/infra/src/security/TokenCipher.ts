/**
 * Keeps device tokens and the secrets of webhook endpoints secret at rest, under the keys of the `KeyRing`.
 *
 * **Details**
 *
 * A token is bound to its tenant and user, a webhook's secret to its tenant and endpoint.
 *
 * Tokens are found again by an HMAC-SHA-256. Its key must outlive the keys that seal: it is the one that the oldest secret gave when
 * the first token was kept (`SqlDeviceHashes`).
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { Context, Effect, Layer, Redacted } from "effect"
import type { CryptoError } from "effect/crypto/CryptoError"
import { createHmac } from "node:crypto"
import { KeyRing, rowOf } from "./KeyRing.ts"
import type { Sealed, TokenNotOpened, TokenSecretInvalid } from "./KeyRing.ts"

/** A token or a webhook secret. */
export type SealedToken = Sealed

export { TokenNotOpened, TokenSecretInvalid } from "./KeyRing.ts"

/** 32 bytes that are the same for the same token of the same tenant, and tell nothing without the key. */
export const hashOf = (key: Redacted.Redacted<Uint8Array>, tenantId: TenantId, token: string): Uint8Array =>
  createHmac("sha256", Redacted.value(key)).update(`${tenantId}\u0000${token}`, "utf8").digest()

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
    /** `hashOf` with the key that the oldest secret gives. */
    readonly lookupHash: (tenantId: TenantId, token: string) => Effect.Effect<Uint8Array>
  }
>()("@beckon/infra/security/TokenCipher") {
  static readonly layerOverRing: Layer.Layer<TokenCipher, never, KeyRing> = Layer.effect(
    TokenCipher,
    Effect.map(KeyRing, (ring) => ({
      seal: (owner, token) => ring.seal("device token", Keys.toString(owner), Redacted.make(token)),
      open: (owner, sealed) => Effect.map(ring.open("device token", Keys.toString(owner), sealed), Redacted.value),
      sealSecret: (tenantId, endpointId, plain) => ring.seal("webhook secret", rowOf(tenantId, endpointId), plain),
      openSecret: (tenantId, endpointId, sealed) => ring.open("webhook secret", rowOf(tenantId, endpointId), sealed),
      lookupHash: (tenantId, token) => Effect.sync(() => hashOf(ring.oldestHashKey, tenantId, token))
    }))
  )

  /** With one secret of 32 random bytes. */
  static readonly layer = (
    secret: Redacted.Redacted<Uint8Array>
  ): Layer.Layer<TokenCipher | KeyRing, TokenSecretInvalid | CryptoError> =>
    TokenCipher.layerOverRing.pipe(Layer.provideMerge(KeyRing.layer([{ secret }])))
}
