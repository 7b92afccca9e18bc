/**
 * Hands messages to the providers of their channel: one try at the first that takes them, and at the next when that one is out
 * of order, each behind its circuit breaker, rate limit and bound of concurrency.
 */
import {
  Cause,
  Clock,
  Context,
  DateTime,
  Duration,
  Effect,
  Layer,
  Option,
  PartitionedSemaphore,
  Schedule
} from "effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { DeliveryChannel, DeliveryId, SendOutcome } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { ChannelProvider, Outgoing } from "@beckon/domain/ports/ChannelProvider"
import { accountIdOf } from "@beckon/domain/ProviderAccount"
import { TenantProviders } from "../providers/TenantProviders.ts"
import { Circuits } from "./Circuits.ts"
import type { CircuitClosedToCalls } from "./Circuits.ts"
import { DeliverySettings } from "./DeliverySettings.ts"

/** One provider that was asked, and what it said. */
export interface Try {
  readonly provider: string
  readonly outcome: SendOutcome
  readonly durationMs: number
  readonly at: DateTime.Utc
}

/** What became of one message: who was asked, and why nobody was where the last word is missing. */
export interface Sent {
  readonly tries: ReadonlyArray<Try>
  readonly notAsked: { readonly reason: string; readonly retryAfter: number } | undefined
}

/** Whether the lease of a delivery still is this worker's. */
export type IsHeld = (id: DeliveryId) => boolean

interface Unit<Channel extends DeliveryChannel> {
  readonly outgoing: Outgoing<Channel>
  tries: ReadonlyArray<Try>
  notAsked: Sent["notAsked"]
}

/** Calls at a time to one account, and those that wait for their turns. */
interface Turns {
  readonly semaphore: PartitionedSemaphore.PartitionedSemaphore<string>
  /** Calls that wait or are made. */
  calls: number
}

const isTenants = ({ id }: Pick<ChannelProvider, "id">): boolean => Option.isSome(accountIdOf(id))

/** Of calls that find the account of a tenant busy: what waits here has a lease, and takes the place of others' deliveries. */
const busyFor = Duration.seconds(1)

/** After this the accounts of a tenant are looked for again, when the store did not answer. */
const accountsAgain = Duration.seconds(2)

/** Whether the next provider may have more luck. */
const isForNext = (outcome: SendOutcome | undefined): boolean =>
  outcome === undefined ||
  (outcome._tag === "Failed" &&
    (outcome.class === "transient" || outcome.class === "throttled" || outcome.class === "credentials"))

const isOpen = <Channel extends DeliveryChannel>(unit: Unit<Channel>): boolean => isForNext(unit.tries.at(-1)?.outcome)

const failed = (code: string, detail: string): SendOutcome => ({ _tag: "Failed", class: "transient", code, detail })

/** A rate limit that gives way within this time is waited for; otherwise the messages go back to the store. */
const shortWait = Duration.seconds(2)

/** A circuit that is tried out at the moment is not worth the way back to the store and here again. */
const isShort = ({ reason, retryAfter }: CircuitClosedToCalls): boolean =>
  reason === "breaker_open" && retryAfter <= Duration.toMillis(shortWait) / 2

const soon = Schedule.spaced("50 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: "2 seconds" }))

export class Sending extends Context.Service<
  Sending,
  {
    /** Messages of one tenant; answers in their order. What is not `isHeld` when its turn comes is not sent. */
    readonly send: <Channel extends DeliveryChannel>(
      channel: Channel,
      tenantId: TenantId,
      batch: ReadonlyArray<Outgoing<Channel>>,
      isHeld: IsHeld
    ) => Effect.Effect<ReadonlyArray<Sent>>
  }
>()("@beckon/server/delivery/Sending") {
  static readonly layer = Layer.effect(
    Sending,
    Effect.gen(function* () {
      const providers = yield* TenantProviders
      const circuits = yield* Circuits
      const limiter = yield* RateLimiter.make
      const settings = yield* DeliverySettings
      // Waiters get their turns tenant by tenant, and endpoint by endpoint: a long queue of one is nobody else's.
      // They live as long as the provider, which for an account of a tenant is until it is changed or rests.
      const turns = new WeakMap<object, Turns>()
      const turnsOf = (provider: Pick<ChannelProvider, "concurrency">): Turns => {
        const known = turns.get(provider)
        if (known !== undefined) return known
        const made = { semaphore: PartitionedSemaphore.makeUnsafe<string>({ permits: provider.concurrency }), calls: 0 }
        turns.set(provider, made)
        return made
      }

      /** Nothing when the rate allows these messages, else the milliseconds until it does. A limiter that is gone allows all. */
      const overRate = <Channel extends DeliveryChannel>(
        provider: ChannelProvider<Channel>,
        tenantId: TenantId,
        tokens: number
      ) =>
        provider.rate === undefined
          ? Effect.succeed(0)
          : limiter
              .consume({
                key: `provider:${provider.id}${isTenants(provider) ? `:${tenantId}` : ""}`,
                algorithm: "token-bucket",
                onExceeded: "fail",
                limit: provider.rate.limit,
                window: provider.rate.window,
                tokens
              })
              .pipe(
                Effect.retry({
                  while: ({ reason }) =>
                    reason._tag === "RateLimitExceeded" && Duration.isLessThanOrEqualTo(reason.retryAfter, shortWait),
                  schedule: Schedule.spaced("50 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: shortWait }))
                }),
                Effect.match({
                  onSuccess: () => 0,
                  onFailure: ({ reason }) =>
                    reason._tag === "RateLimitExceeded" ? Math.max(50, Duration.toMillis(reason.retryAfter)) : 0
                })
              )

      /** The provider's own time limits are shorter; this one is for what they miss. */
      const bounded = <Channel extends DeliveryChannel>(
        provider: ChannelProvider<Channel>,
        batch: ReadonlyArray<Outgoing<Channel>>
      ) =>
        provider.send(batch).pipe(
          Effect.timeoutOrElse({
            duration: Duration.times(settings.lease, 0.75),
            orElse: () =>
              Effect.succeed(batch.map(() => failed("timeout", "The provider's adapter did not answer in time")))
          }),
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.failCause(cause)
              : Effect.as(
                  Effect.logError(`The adapter of ${provider.id} failed`, cause),
                  batch.map(() => failed("adapter", "The provider's adapter failed"))
                )
          )
        )

      /** One call, unless the leases of its messages are over or the rate does not allow it; notes what came of it. */
      const call = Effect.fnUntraced(function* <Channel extends DeliveryChannel>(
        provider: ChannelProvider<Channel>,
        tenantId: TenantId,
        units: ReadonlyArray<Unit<Channel>>,
        isHeld: IsHeld
      ) {
        const mine = units.filter(({ outgoing }) => isHeld(outgoing.deliveryId))
        for (const unit of units) if (!mine.includes(unit)) unit.notAsked = { reason: "lease_lost", retryAfter: 0 }
        const wait = mine.length === 0 ? 0 : yield* overRate(provider, tenantId, mine.length)
        if (wait > 0) for (const unit of mine) unit.notAsked = { reason: "rate_limited", retryAfter: wait }
        if (wait > 0 || mine.length === 0) return []
        const begin = yield* Clock.currentTimeNanos
        const at = yield* DateTime.now
        const outcomes = yield* bounded(
          provider,
          mine.map(({ outgoing }) => outgoing)
        )
        const durationMs = Number((yield* Clock.currentTimeNanos) - begin) / 1e6
        mine.forEach((unit, index) => {
          const outcome = outcomes[index] ?? failed("adapter", "The provider's adapter gave too few answers")
          unit.tries = [...unit.tries, { provider: provider.id, outcome, durationMs, at }]
          unit.notAsked = undefined
        })
        return outcomes
      })

      const ask = Effect.fnUntraced(function* <Channel extends DeliveryChannel>(
        provider: ChannelProvider<Channel>,
        tenantId: TenantId,
        units: ReadonlyArray<Unit<Channel>>,
        isHeld: IsHeld
      ) {
        const alone = units.length === 1 ? units[0] : undefined
        const circuit = alone === undefined ? undefined : provider.circuit?.(alone.outgoing.message)
        const guarded = circuits.guard(circuit ?? provider.id, tenantId, call(provider, tenantId, units, isHeld))
        const turn = turnsOf(provider)
        // Whoever waits for a circuit waits without a permit: others have something to send.
        const inTurn = turn.semaphore.withPermit(`${tenantId}\u0000${circuit ?? ""}`)(guarded)
        // As many again as are made may wait for a tenant's account: a slow one holds up no more than that.
        if (isTenants(provider) && turn.calls >= provider.concurrency * 2) {
          for (const unit of units) {
            unit.notAsked = { reason: "rate_limited", retryAfter: Duration.toMillis(busyFor) }
          }
          return
        }
        turn.calls += 1
        yield* Effect.catch(Effect.retry(inTurn, { while: isShort, schedule: soon }), ({ reason, retryAfter }) =>
          Effect.sync(() => {
            for (const unit of units) unit.notAsked = { reason, retryAfter }
          })
        ).pipe(Effect.ensuring(Effect.sync(() => (turn.calls -= 1))))
      })

      const send = Effect.fnUntraced(function* <Channel extends DeliveryChannel>(
        channel: Channel,
        tenantId: TenantId,
        batch: ReadonlyArray<Outgoing<Channel>>,
        isHeld: IsHeld
      ) {
        const units = batch.map((outgoing): Unit<Channel> => ({ outgoing, tries: [], notAsked: undefined }))
        const list = yield* providers.of(tenantId, channel).pipe(
          Effect.catch((error) =>
            Effect.logWarning("The accounts of a tenant could not be read; its deliveries wait", error).pipe(
              Effect.annotateLogs({ tenant: tenantId }),
              Effect.andThen(
                Effect.sync(() => {
                  const notAsked = { reason: "accounts_unavailable", retryAfter: Duration.toMillis(accountsAgain) }
                  for (const unit of units) unit.notAsked = notAsked
                  return []
                })
              )
            )
          )
        )
        for (const provider of list) {
          const mine = units.filter((unit) => isOpen(unit) && provider.accepts(unit.outgoing.message))
          // A call that needs a tenth of what a window allows finds its tokens among others.
          const most = provider.rate === undefined ? Infinity : Math.ceil(provider.rate.limit / 10)
          const size = Math.max(1, Math.min(provider.maxBatch, most))
          const calls = Array.from({ length: Math.ceil(mine.length / size) }, (_, index) =>
            mine.slice(index * size, (index + 1) * size)
          )
          yield* Effect.forEach(calls, (units) => ask(provider, tenantId, units, isHeld), {
            concurrency: "unbounded",
            discard: true
          })
        }
        return units.map(({ notAsked, tries }): Sent => ({ notAsked, tries }))
      }, Effect.scoped)

      return { send }
    })
  )
}
