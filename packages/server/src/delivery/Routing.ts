/**
 * What tenants have set about routing, at hand for the mailboxes: when a notification that they accept is to be planned.
 *
 * **Details**
 *
 * A setting is used for `freshFor` and then read again, so a change takes at most that long to reach the times; the plan itself
 * always reads what is set now. Of a tenant that cannot be read, everything is planned at once: that is never too late.
 */
import { Cause, Clock, DateTime, Duration, Effect, Layer } from "effect"
import type { DeliveryChannel } from "@beckon/domain/Delivery"
import * as DeliveryPlan from "@beckon/domain/DeliveryPlan"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { StoredNotification } from "@beckon/domain/Notification"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import type { RoutingPolicy } from "@beckon/domain/RoutingPolicy"
import { DeliveryTiming } from "../mailbox/DeliveryTiming.ts"
import type { TimingOf } from "../mailbox/DeliveryTiming.ts"
import { TenantProviders } from "../providers/TenantProviders.ts"
import { DeliverySettings } from "./DeliverySettings.ts"
import { Nudges } from "./Nudges.ts"

const freshFor = Duration.seconds(10)

interface Known {
  readonly policy: RoutingPolicy
  readonly hasEndpoints: boolean
  readonly channels: ReadonlySet<DeliveryChannel>
  readonly readAt: number
}

export const layer = Layer.effect(
  DeliveryTiming,
  Effect.gen(function* () {
    const policies = yield* RoutingPolicyStore
    const endpoints = yield* WebhookEndpointStore
    const providers = yield* TenantProviders
    const { ackSlack, ackTimeout } = yield* DeliverySettings
    const nudges = yield* Nudges
    const patience = Duration.sum(ackTimeout, ackSlack)
    const known = new Map<TenantId, Known>()

    const read = Effect.fnUntraced(function* (tenantId: TenantId) {
      const { policy } = yield* policies.get(tenantId)
      const listed = yield* endpoints.list(tenantId)
      const hasEndpoints = listed.some(({ enabled, events }) => enabled && events.includes("notification.created"))
      const channels = yield* providers.channels(tenantId)
      known.set(tenantId, { policy, hasEndpoints, channels, readAt: yield* Clock.currentTimeMillis })
    })

    const refresh = (tenantId: TenantId) =>
      read(tenantId).pipe(
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.void
            : Effect.andThen(
                Effect.sync(() => known.delete(tenantId)),
                Effect.logWarning(`The routing of tenant ${tenantId} could not be read`, cause)
              )
        )
      )

    /** Plans at once, whatever the draft; a device that listens has its time to acknowledge all the same. */
    const cautious: TimingOf = (_draft, online, now) => ({
      planAt: now,
      fallbackAt: online ? DateTime.addDuration(now, patience) : now
    })

    const timingOf: TimingOf = (draft, online, now) => {
      const routing = known.get(draft.tenantId)
      if (routing === undefined) return cautious(draft, online, now)
      const { channels, hasEndpoints, policy } = routing
      return DeliveryPlan.timing(draft, online, policy, { ackTimeout, slack: ackSlack, channels, hasEndpoints }, now)
    }

    return {
      of: Effect.fnUntraced(function* (tenantIds) {
        const now = yield* Clock.currentTimeMillis
        for (const tenantId of tenantIds) {
          const readAt = known.get(tenantId)?.readAt ?? -Infinity
          if (now - readAt > Duration.toMillis(freshFor)) yield* refresh(tenantId)
        }
        return timingOf
      }),
      saved: (rows: ReadonlyArray<StoredNotification>) => {
        if (rows.some(({ createdAt, planAt }) => planAt !== null && DateTime.isLessThanOrEqualTo(planAt, createdAt))) {
          nudges.plan.now()
        }
      }
    }
  })
)
