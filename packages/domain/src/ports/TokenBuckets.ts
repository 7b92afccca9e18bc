/**
 * Token buckets that all nodes share: how much of something may be done in a time, with a burst.
 *
 * **Details**
 *
 * Several buckets are taken from at once, all or none: a user who is out of his own tokens takes none of his tenant's.
 */
import { Context, Schema } from "effect"
import type { Effect } from "effect"
import type { RateLimit } from "../Tenant.ts"

/** It is not known what the buckets hold. */
export class TokenBucketsUnavailable extends Schema.TaggedError<TokenBucketsUnavailable>()("TokenBucketsUnavailable", {
  cause: Schema.Defect()
}) {}

export interface Bucket {
  /** Within the group. */
  readonly name: string
  readonly limit: RateLimit
}

export interface Level {
  /** Tokens left, rounded down. */
  readonly remaining: number
  /** Milliseconds until the bucket is full. */
  readonly fullAfter: number
  /** Milliseconds until it holds what was asked for; 0 when it does. */
  readonly enoughAfter: number
}

export interface Taken {
  readonly ok: boolean
  /** In the order of the buckets. */
  readonly levels: ReadonlyArray<Level>
}

export class TokenBuckets extends Context.Service<
  TokenBuckets,
  {
    /**
     * Takes `tokens` from each bucket, or from none. More than the burst are given when the bucket is full, and leave it in debt.
     * `group` says what lies together: buckets of one tenant.
     */
    readonly take: (
      group: string,
      buckets: ReadonlyArray<Bucket>,
      tokens: number
    ) => Effect.Effect<Taken, TokenBucketsUnavailable>
  }
>()("@beckon/domain/ports/TokenBuckets") {}
