/**
 * How often tenants, keys and users may call, and addresses may show credentials that are refused.
 *
 * **Details**
 *
 * Token buckets that all nodes share. One call takes from its tenant's bucket and from that of its key, service or user at
 * once, in one round trip; who is out of his own tokens takes none of his tenant's. The tenant's own settings win over the
 * deployment's. Answers tell the bucket that is nearest to its end, in the fields of draft-ietf-httpapi-ratelimit-headers-06: later
 * drafts put them into one field that few clients read.
 *
 * **Gotchas**
 *
 * When the buckets cannot be reached every call passes, and the log says so once. An address that showed too many refused
 * credentials is told so with its next refused one; a good credential always passes. Behind a proxy that is not among
 * `trustedProxies` all callers have one address, and one of them must not lock the others out.
 */
import { Clock, Context, Effect, Layer, Option } from "effect"
import type { Identity } from "@beckon/domain/Identity"
import { TooManyRequests } from "@beckon/domain/Problem"
import { TokenBuckets } from "@beckon/domain/ports/TokenBuckets"
import type { Bucket, Level, Taken } from "@beckon/domain/ports/TokenBuckets"
import type { RateLimit } from "@beckon/domain/Tenant"
import { Tenants } from "../tenants/Tenants.ts"
import { HttpSettings } from "./HttpSettings.ts"

/** Addresses that are remembered, at most; past it the buckets are asked again. */
const maxRefused = 10_000

/** Beyond it nobody's clock is that far off. */
const maxSeconds = 86_400

const seconds = (millis: number): number => Math.min(maxSeconds, Math.max(1, Math.ceil(millis / 1_000)))

interface Who {
  readonly kind: "key" | "user"
  readonly bucket: string
  /** In words, for the problem. */
  readonly name: string
}

/** A service has the limits of a key, whichever way it shows who it is. */
const whoIs = ({ keyId, roles, userId }: Identity): Who => {
  if (keyId !== undefined) return { kind: "key", bucket: `key:${keyId}`, name: "this API key" }
  return roles.includes("service")
    ? { kind: "key", bucket: `service:${userId}`, name: "this service" }
    : { kind: "user", bucket: `user:${userId}`, name: "this user" }
}

interface Limited extends Bucket {
  readonly whose: string
}

/** The one with the smallest part left. */
const tightest = (limited: ReadonlyArray<Limited>, levels: ReadonlyArray<Level>) =>
  limited
    .flatMap((one, index) => {
      const level = levels[index]
      return level === undefined ? [] : [{ ...one, level }]
    })
    .toSorted(
      (left, right) =>
        right.level.enoughAfter - left.level.enoughAfter ||
        left.level.remaining / left.limit.burst - right.level.remaining / right.limit.burst
    )[0]

const windowOf = ({ burst, perSecond }: RateLimit): number => Math.max(1, Math.ceil(burst / perSecond))

/** What a caller is told about his limits. */
export interface Told {
  readonly headers: Readonly<Record<string, string>>
  readonly refused: TooManyRequests | undefined
}

const tell = (limited: ReadonlyArray<Limited>, { levels, ok }: Taken): Told => {
  const worst = tightest(limited, levels)
  if (worst === undefined) return { headers: {}, refused: undefined }
  const { level, limit, whose } = worst
  const retryAfter = seconds(level.enoughAfter)
  return {
    headers: {
      "ratelimit-limit": String(limit.burst),
      "ratelimit-remaining": String(level.remaining),
      "ratelimit-reset": String(Math.min(maxSeconds, Math.ceil(level.fullAfter / 1_000))),
      "ratelimit-policy": `${limit.burst};w=${windowOf(limit)}`,
      ...(ok ? {} : { "retry-after": String(retryAfter) })
    },
    refused: ok
      ? undefined
      : new TooManyRequests({
          detail: `rate limit of ${whose}: ${limit.perSecond} a second, ${limit.burst} at once; again in ${retryAfter} s`
        })
  }
}

const nothingTold: Told = { headers: {}, refused: undefined }

export class RateLimits extends Context.Service<
  RateLimits,
  {
    /** Takes tokens of the caller's limits, or none, and says what to answer. */
    readonly take: (identity: Identity, tokens: number) => Effect.Effect<Told>
    /** After a credential from this address was refused. */
    readonly failed: (address: string | null) => Effect.Effect<Told>
  }
>()("@beckon/server/http/RateLimits") {
  static readonly layer = Layer.effect(
    RateLimits,
    Effect.gen(function* () {
      const buckets = yield* TokenBuckets
      const tenants = yield* Tenants
      const { limits } = yield* HttpSettings
      const clock = yield* Clock.Clock
      /** Until when the bucket of an address is empty: milliseconds since 1970. */
      const refusedUntil = new Map<string, number>()
      let away = false

      const takeOf = (group: string, limited: ReadonlyArray<Limited>, tokens: number): Effect.Effect<Told> =>
        limited.length === 0
          ? Effect.succeed(nothingTold)
          : buckets.take(group, limited, tokens).pipe(
              Effect.map((taken) => {
                away = false
                return tell(limited, taken)
              }),
              Effect.catch((error) =>
                Effect.suspend(() => {
                  const first = !away
                  away = true
                  return first
                    ? Effect.logWarning("Rate limits cannot be counted; every call passes meanwhile", error.cause)
                    : Effect.void
                }).pipe(Effect.as(nothingTold))
              )
            )

      return {
        take: Effect.fnUntraced(function* (identity, tokens) {
          const tenant = yield* Effect.option(tenants.get(identity.tenantId))
          const own = Option.getOrUndefined(tenant)?.settings.rateLimits
          const who = whoIs(identity)
          const limited: Array<Limited> = []
          const ofTenant = own?.tenant ?? limits.tenant
          const ofCaller = own?.[who.kind] ?? limits[who.kind]
          if (ofTenant !== undefined) limited.push({ name: "tenant", limit: ofTenant, whose: "the tenant" })
          if (ofCaller !== undefined) limited.push({ name: who.bucket, limit: ofCaller, whose: who.name })
          return yield* takeOf(identity.tenantId, limited, tokens)
        }),

        failed: (address) =>
          Effect.suspend(() => {
            if (address === null || limits.failures === undefined) return Effect.succeed(nothingTold)
            const left = (refusedUntil.get(address) ?? 0) - clock.currentTimeMillisUnsafe()
            if (left > 0) return Effect.succeed(refusal(left))
            refusedUntil.delete(address)
            // A group of its own, so that addresses spread over the slots of a Redis Cluster.
            const limited = [{ name: "failures", limit: limits.failures, whose: "this address" }]
            return Effect.map(takeOf(`address:${address}`, limited, 1), ({ headers, refused }) => {
              if (refused === undefined) return nothingTold
              const millis = Number(headers["retry-after"]) * 1_000
              if (refusedUntil.size >= maxRefused) refusedUntil.clear()
              refusedUntil.set(address, clock.currentTimeMillisUnsafe() + millis)
              return refusal(millis)
            })
          })
      }
    })
  )
}

const refusal = (millis: number): Told => ({
  headers: { "retry-after": String(seconds(millis)) },
  refused: new TooManyRequests({
    detail: `authorization: too many refused credentials from this address; again in ${seconds(millis)} s`
  })
})
