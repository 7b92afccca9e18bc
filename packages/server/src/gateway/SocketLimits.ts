/**
 * Who gets a socket, and how much may come through it.
 *
 * **Details**
 *
 * New sockets take from buckets that all nodes share, of their tenant and of their user. Messages and bytes of one socket are
 * counted where it is, in numbers that are changed in place: nothing is made for a message. The tenant's settings at the time of
 * the connection hold for the life of the socket.
 */
import { Effect, Option } from "effect"
import type { Identity } from "@beckon/domain/Identity"
import type { TokenBuckets } from "@beckon/domain/ports/TokenBuckets"
import type { Bucket } from "@beckon/domain/ports/TokenBuckets"
import type { RateLimit } from "@beckon/domain/Tenant"
import { filled, holds } from "@beckon/domain/TokenBucket"
import { UpgradeRefused } from "@beckon/infra/uws/UwsWebSocket"
import type { UpgradeRequest } from "@beckon/infra/uws/UwsWebSocket"
import * as Cors from "../http/Cors.ts"
import type { Tenants } from "../tenants/Tenants.ts"
import type { GatewaySettingsShape } from "./GatewaySettings.ts"

/** What one socket may still send. */
export interface Flow {
  readonly limit: RateLimit | undefined
  tokens: number
  /** Milliseconds since 1970. */
  at: number
}

export interface Flows {
  readonly messages: Flow
  readonly bytes: Flow
}

const flowOf = (limit: RateLimit | undefined, now: number): Flow => ({ limit, tokens: limit?.burst ?? 0, at: now })

export const makeFlows = (
  { bytes, messages }: Pick<GatewaySettingsShape, "messages" | "bytes">,
  now: number
): Flows => ({ messages: flowOf(messages, now), bytes: flowOf(bytes, now) })

/** Takes as many from the flow; false when there are not so many. */
export const pass = (flow: Flow, amount: number, now: number): boolean => {
  const { limit } = flow
  if (limit === undefined) return true
  const tokens = filled(flow, limit, now)
  if (!holds(tokens, limit, amount)) return false
  flow.tokens = tokens - amount
  flow.at = now
  return true
}

/** In words, for the one who is closed. */
export const say = ({ limit }: Flow, what: string): string =>
  limit === undefined ? what : `at most ${limit.perSecond} ${what} a second, ${limit.burst} at once`

const refusedOrigin = new UpgradeRefused({
  status: 403,
  problem: {
    type: "urn:beckon:problem:forbidden",
    title: "The token does not allow this.",
    status: 403,
    detail: "origin: the tenant does not allow sockets from pages of this origin"
  }
})

const tooMany = (whose: string, { burst, perSecond }: RateLimit, millis: number) => {
  const seconds = Math.max(1, Math.ceil(millis / 1_000))
  return new UpgradeRefused({
    status: 429,
    problem: {
      type: "urn:beckon:problem:too-many-requests",
      title: "Too many requests.",
      status: 429,
      detail: `new sockets of ${whose}: ${perSecond} a second, ${burst} at once; again in ${seconds} s`
    },
    headers: { "retry-after": String(seconds) }
  })
}

/** Refuses pages that the tenant does not allow, and more new sockets than there may be; answers what the socket may send. */
export const make = (settings: GatewaySettingsShape, tenants: Tenants["Service"], buckets: TokenBuckets["Service"]) => {
  let away = false

  /** Without the buckets everybody passes, as with calls. */
  const count = Effect.fnUntraced(function* (
    { tenantId, userId }: Identity,
    ofTenant: RateLimit | undefined,
    ofUser: RateLimit | undefined
  ): Effect.fn.Return<void, UpgradeRefused> {
    const wanted: Array<Bucket & { readonly whose: string }> = []
    if (ofTenant !== undefined) wanted.push({ name: "sockets", limit: ofTenant, whose: "the tenant" })
    if (ofUser !== undefined) wanted.push({ name: `sockets:${userId}`, limit: ofUser, whose: "this user" })
    if (wanted.length === 0) return
    const taken = yield* buckets.take(tenantId, wanted, 1).pipe(
      Effect.tap(() => Effect.sync(() => (away = false))),
      Effect.tapError((error) =>
        Effect.suspend(() => {
          const first = !away
          away = true
          return first
            ? Effect.logWarning("New sockets cannot be counted; all pass meanwhile", error.cause)
            : Effect.void
        })
      ),
      Effect.option
    )
    if (Option.isNone(taken) || taken.value.ok) return
    const { levels } = taken.value
    const [worst] = wanted
      .map((one, index) => ({ ...one, wait: levels[index]?.enoughAfter ?? 0 }))
      .toSorted((left, right) => right.wait - left.wait)
    if (worst !== undefined) return yield* tooMany(worst.whose, worst.limit, worst.wait)
  })

  return Effect.fnUntraced(function* (
    { headers }: Pick<UpgradeRequest, "headers">,
    identity: Identity
  ): Effect.fn.Return<Pick<GatewaySettingsShape, "messages" | "bytes">, UpgradeRefused> {
    const tenant = Option.getOrUndefined(yield* Effect.option(tenants.get(identity.tenantId)))
    const allowed = tenant?.settings.allowedOrigins ?? settings.allowedOrigins
    if (!Cors.allows(headers["origin"], headers["host"], allowed)) return yield* refusedOrigin
    const own = tenant?.settings.sockets
    yield* count(identity, own?.connects ?? settings.connects, settings.connectsOfUser)
    return { messages: own?.messages ?? settings.messages, bytes: own?.bytes ?? settings.bytes }
  })
}
