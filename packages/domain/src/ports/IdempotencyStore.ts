/**
 * Which calls were made under an `Idempotency-Key`, and what was answered.
 *
 * **Details**
 *
 * A key is claimed by the one who carries the call out, until a time that he moves ahead while he works: a node that dies
 * loses its claims. What was answered is kept until another time, and is secret at rest, since answers hold what is shown
 * only once. From its time on a key is as one that nobody has used.
 */
import { Context } from "effect"
import type { DateTime, Effect } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface IdempotencyScope {
  readonly tenantId: TenantId
  /** Whose key it is: callers of one tenant do not share them. */
  readonly caller: string
  readonly key: string
}

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type Claim =
  /** Nobody has used the key: the call is to be carried out. */
  | { readonly _tag: "Claimed" }
  /** Somebody carries the same call out; at this time at the latest the key is free or answered. */
  | { readonly _tag: "InProgress"; readonly until: DateTime.Utc }
  | { readonly _tag: "Answered"; readonly answer: Answer }
  /** The key was used for another call. */
  | { readonly _tag: "OtherCall" }

export interface ClaimRequest {
  /** SHA-256 of what the call is, in hexadecimal. */
  readonly fingerprint: string
  /** Names this claim, and no other. */
  readonly claim: string
  readonly now: DateTime.Utc
  readonly until: DateTime.Utc
}

export class IdempotencyStore extends Context.Service<
  IdempotencyStore,
  {
    /** Of many at the same time one is told `Claimed`. */
    readonly claim: (scope: IdempotencyScope, request: ClaimRequest) => Effect.Effect<Claim, StoreUnavailable>
    /** Moves the end of a claim; false when it is not held any more. */
    readonly extend: (
      scope: IdempotencyScope,
      claim: string,
      until: DateTime.Utc
    ) => Effect.Effect<boolean, StoreUnavailable>
    /** Keeps the answer and ends the claim; false when it is not held any more, and nothing is kept. */
    readonly answer: (
      scope: IdempotencyScope,
      claim: string,
      answer: Answer,
      keptUntil: DateTime.Utc
    ) => Effect.Effect<boolean, StoreUnavailable>
    /** Ends the claim without an answer: the key is as one that nobody has used. */
    readonly release: (scope: IdempotencyScope, claim: string) => Effect.Effect<void, StoreUnavailable>
    /** Throws away at most `limit` keys of all tenants whose time is over; answers how many. */
    readonly removeExpired: (now: DateTime.Utc, limit: number) => Effect.Effect<number, StoreUnavailable>
  }
>()("@beckon/domain/ports/IdempotencyStore") {}
