/**
 * Keeps who may follow which driver, by the events of orders.
 *
 * **Details**
 *
 * An end is saved before anybody is told; then every node asks again for those who follow the driver.
 */
import { Context, DateTime, Duration, Effect, Layer, Schedule } from "effect"
import type { PlainEvent } from "@beckon/domain/events/Event"
import { trackingChange } from "@beckon/domain/events/OrderTracking"
import type { TrackingChange } from "@beckon/domain/events/OrderTracking"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import { driverTopic } from "@beckon/domain/Topic"
import { TopicChecks } from "../topics/TopicChecks.ts"

/** Ends are remembered so long, so that events that come late open nothing again. */
const rememberedFor = Duration.days(7)

const reapEvery = "1 hour"
const reapAtOnce = 1_000

export class OrderTracking extends Context.Service<
  OrderTracking,
  {
    /** Events that are not of orders, or known, change nothing. */
    readonly follow: (tenantId: TenantId, events: ReadonlyArray<PlainEvent>) => Effect.Effect<void, StoreUnavailable>
  }
>()("@beckon/server/orders/OrderTracking") {
  static readonly layer = Layer.effect(
    OrderTracking,
    Effect.gen(function* () {
      const grants = yield* TrackingGrants
      const checks = yield* TopicChecks

      const reap = Effect.gen(function* () {
        const before = DateTime.subtractDuration(yield* DateTime.now, rememberedFor)
        yield* Effect.repeat(grants.reap(before, reapAtOnce), { until: (removed) => removed < reapAtOnce })
      })
      yield* Effect.catchCause(reap, (cause) => Effect.logWarning("Old tracking grants were not removed", cause)).pipe(
        Effect.repeat(Schedule.spaced(reapEvery)),
        Effect.forkScoped
      )

      return {
        follow: Effect.fn("OrderTracking.follow")(function* (tenantId, events) {
          const changes = events.flatMap((event): ReadonlyArray<TrackingChange> => {
            const change = "orderId" in event ? trackingChange(event) : undefined
            return change === undefined ? [] : [change]
          })
          if (changes.length === 0) return
          const ended = yield* grants.apply(tenantId, changes)
          const drivers = new Set(ended.map(({ driverId }) => driverId))
          yield* Effect.forEach(drivers, (driverId) => checks.ask(tenantId, driverTopic(driverId)), { discard: true })
        })
      }
    })
  )
}
