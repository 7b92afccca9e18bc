/**
 * A circuit breaker for each account and tenant, shared by all nodes.
 *
 * **Details**
 *
 * effect's breaker closes after one good probe; ours after `breakerSuccesses`: the probes before the last are reported as
 * `Ignored`, which frees the place of the probe and leaves the circuit half-open. Only the provider's own trouble counts as a
 * failure: a message that it refuses shows that it works.
 *
 * Credentials that are refused are no trouble of the provider and are not counted: that provider is left alone at once, and
 * somebody is called by an error in the log. What was meant for it waits.
 */
import { Clock, Context, Duration, Effect, Exit, Layer, Schema } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { SendOutcome } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import { DeliverySettings } from "./DeliverySettings.ts"

/** Nobody was asked: the circuit is open, or the credentials were refused lately. */
export class CircuitClosedToCalls extends Schema.TaggedError<CircuitClosedToCalls>()("CircuitClosedToCalls", {
  reason: Schema.Literals(["breaker_open", "credentials"]),
  /** Milliseconds until it makes sense to ask again. */
  retryAfter: Schema.Finite
}) {}

type Outcomes = ReadonlyArray<SendOutcome>

const keyOf = (provider: string, tenantId: TenantId): string => `${provider}:${tenantId}`

const isAnswered = (outcome: SendOutcome): boolean =>
  outcome._tag === "Sent" || outcome.class === "permanent" || outcome.class === "unreachable"

/** How one call over a batch went for the provider. */
const verdictOf = (outcomes: Outcomes): CircuitBreaker.Outcome => {
  if (outcomes.some(isAnswered)) return CircuitBreaker.success
  return outcomes.some((outcome) => outcome._tag === "Failed" && outcome.class === "transient")
    ? CircuitBreaker.failure()
    : CircuitBreaker.ignored
}

/** Where another message of the same call was taken, the account is good: it is about one message, or one kind of device. */
const refusedCredentials = (outcomes: Outcomes) =>
  outcomes.some(isAnswered)
    ? undefined
    : outcomes.find((outcome) => outcome._tag === "Failed" && outcome.class === "credentials")

export class Circuits extends Context.Service<
  Circuits,
  {
    /** Makes the call unless the circuit forbids it, and learns from its outcomes. */
    readonly guard: (
      provider: string,
      tenantId: TenantId,
      call: Effect.Effect<Outcomes>
    ) => Effect.Effect<Outcomes, CircuitClosedToCalls>
    /** `closed`, `open`, `half_open`, or `held` after refused credentials; for people. */
    readonly state: (
      provider: string,
      tenantId: TenantId
    ) => Effect.Effect<"closed" | "open" | "half_open" | "held" | "unknown">
  }
>()("@beckon/server/delivery/Circuits") {
  /** Needs a store: `CircuitBreaker.layerStoreMemory()`, or Redis for all nodes. */
  static readonly layer = Layer.effect(
    Circuits,
    Effect.gen(function* () {
      const settings = yield* DeliverySettings
      const breaker = yield* CircuitBreaker.make({
        tripPolicy: CircuitBreaker.consecutive(settings.breakerFailures),
        openDuration: settings.breakerOpen,
        // A Redis that is gone must not stop deliveries.
        onStoreError: "allow"
      })
      const probeAgain = Math.max(100, Duration.toMillis(settings.breakerOpen) / 20)
      /** Good probes in a row, of circuits that are half-open. */
      const streaks = new Map<string, number>()
      /** Until when refused credentials are not used again. */
      const held = new Map<string, number>()

      const stateOf = (key: string) =>
        Effect.match(breaker.state(key), { onFailure: () => undefined, onSuccess: ({ _tag }) => _tag })

      const classify = (key: string) =>
        Effect.fnUntraced(function* (exit: Exit.Exit<Outcomes>) {
          const verdict = Exit.isSuccess(exit) ? verdictOf(exit.value) : CircuitBreaker.failure()
          if (verdict._tag === "Failure") streaks.delete(key)
          if (verdict._tag !== "Success") return verdict
          const streak = (streaks.get(key) ?? 0) + 1
          // Asked each time: another node may have opened it.
          if ((yield* stateOf(key)) === "HalfOpen" && streak < settings.breakerSuccesses) {
            streaks.set(key, streak)
            return CircuitBreaker.ignored
          }
          streaks.delete(key)
          return verdict
        })

      const refuse = (error: CircuitBreaker.CircuitBreakerError) => {
        const retryAfter = error.reason._tag === "CircuitOpen" ? Duration.toMillis(error.reason.retryAfter) : probeAgain
        return Effect.fail(new CircuitClosedToCalls({ reason: "breaker_open", retryAfter }))
      }

      const hold = Effect.fnUntraced(function* (provider: string, tenantId: TenantId, outcomes: Outcomes) {
        const refused = refusedCredentials(outcomes)
        if (refused?._tag !== "Failed") return
        const now = yield* Clock.currentTimeMillis
        held.set(keyOf(provider, tenantId), now + Duration.toMillis(settings.credentialsHold))
        yield* Effect.logError(
          `ALARM: ${provider} refuses the credentials of tenant ${tenantId} (${refused.code}); its deliveries wait until they are mended`
        )
      })

      return {
        guard: Effect.fnUntraced(function* (provider, tenantId, call) {
          const key = keyOf(provider, tenantId)
          const until = held.get(key)
          if (until !== undefined) {
            const rest = until - (yield* Clock.currentTimeMillis)
            if (rest > 0) return yield* new CircuitClosedToCalls({ reason: "credentials", retryAfter: rest })
            held.delete(key)
          }
          const outcomes = yield* call.pipe(
            breaker.execute({ key, classify: classify(key) }),
            Effect.catchTag("CircuitBreakerError", refuse)
          )
          yield* hold(provider, tenantId, outcomes)
          return outcomes
        }),
        state: Effect.fnUntraced(function* (provider, tenantId) {
          const key = keyOf(provider, tenantId)
          const until = held.get(key)
          if (until !== undefined && until > (yield* Clock.currentTimeMillis)) return "held"
          switch (yield* stateOf(key)) {
            case "Closed":
              return "closed"
            case "Open":
              return "open"
            case "HalfOpen":
              return "half_open"
            case undefined:
              return "unknown"
          }
        })
      }
    })
  )
}
