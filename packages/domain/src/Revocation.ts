/**
 * Tokens that are refused although they have not expired: all of a user that were issued until a moment, or one by its `jti`.
 */
import type { DateTime } from "effect"
import type { TenantId } from "./Identifiers.ts"

export interface Revocation {
  readonly tenantId: TenantId
  readonly kind: "user" | "token"
  /** The id of the user, or the `jti` of the token (RFC 7519 section 4.1.7). */
  readonly subject: string
  /** Tokens of the user that were issued later are good; means nothing for a single token. */
  readonly before: DateTime.Utc
  /** When no such token can be good any more, and this may be forgotten. */
  readonly expiresAt: DateTime.Utc
}
