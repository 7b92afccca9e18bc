import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { Draft } from "@beckon/domain/Notification"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import * as MemoryRoutingPolicyStore from "@beckon/infra/memory/MemoryRoutingPolicyStore"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import * as LogProvider from "@beckon/infra/push/LogProvider"
import { DeliverySettings } from "../../src/delivery/DeliverySettings.ts"
import { Nudges } from "../../src/delivery/Nudges.ts"
import * as Routing from "../../src/delivery/Routing.ts"
import { TenantProviders } from "../../src/providers/TenantProviders.ts"
import { DeliveryTiming } from "../../src/mailbox/DeliveryTiming.ts"
import { acme, notification } from "./Fixture.ts"

const layer = <E>(policies: Layer.Layer<RoutingPolicyStore, E>) =>
  Routing.layer.pipe(
    Layer.provideMerge(policies),
    Layer.provide([MemoryWebhookEndpointStore.layer, DeliverySettings.layer(), Nudges.layer]),
    Layer.provide(TenantProviders.layerShared),
    Layer.provide(
      Layer.succeed(ChannelProviders, { push: [LogProvider.make()], email: [], sms: [], whatsapp: [], webhook: [] })
    )
  )

const draft: Draft = {
  tenantId: acme,
  userId: notification().userId,
  type: "order_created",
  title: "New Order",
  message: "",
  priority: "medium"
}

/** Milliseconds from now until it is planned, and until it counts that nobody has acknowledged it. */
const timing = Effect.fnUntraced(function* (online: boolean) {
  const timingOf = yield* (yield* DeliveryTiming).of(new Set([acme]))
  const now = yield* DateTime.now
  const { fallbackAt, planAt } = timingOf(draft, online, now)
  const until = (at: DateTime.Utc) => at.epochMilliseconds - now.epochMilliseconds
  return [planAt === null ? null : until(planAt), until(fallbackAt)]
})

describe("Routing", () => {
  it.effect("a tenant's new policy counts after ten seconds at the latest, however long nobody asked", () =>
    Effect.gen(function* () {
      const policies = yield* RoutingPolicyStore
      assert.deepStrictEqual(yield* timing(true), [6_500, 6_500])
      assert.deepStrictEqual(yield* timing(false), [0, 0])
      yield* policies.set(acme, { defaults: { steps: [] } })
      yield* TestClock.adjust("6 hours")
      assert.deepStrictEqual(yield* timing(false), [null, 0])
    }).pipe(Effect.provide(layer(MemoryRoutingPolicyStore.layer)))
  )

  it.effect("what cannot be read is planned at once, and a device that listens keeps its time to acknowledge", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* timing(true), [0, 6_500])
      assert.deepStrictEqual(yield* timing(false), [0, 0])
    }).pipe(
      Effect.provide(
        layer(
          Layer.mock(RoutingPolicyStore, {
            get: () => Effect.fail(new StoreUnavailable({ operation: "RoutingPolicyStore.get", cause: "away" }))
          })
        )
      )
    )
  )
})
