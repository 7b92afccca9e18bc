import type { PlanContext } from "@beckon/domain/ports/DeliveryStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import type { WebhookEndpointInput } from "@beckon/domain/WebhookEndpoint"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { DateTime, Effect, Redacted } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import {
  accept,
  claimOf,
  dead,
  drain,
  email,
  eventOf,
  failed,
  planAll,
  planned,
  push,
  reportOf,
  secondsAfterNoon,
  sent
} from "./DeliveryFixtures.ts"
import type { DeliveryServices } from "./DeliveryStore.contract.ts"
import { freshKey, freshTenant, noon } from "./Fixtures.ts"

const endpoint = Effect.fnUntraced(function* (
  tenantId: TenantId,
  id: string,
  other: Partial<WebhookEndpointInput> = {},
  enabled = true
) {
  const endpoints = yield* WebhookEndpointStore
  const input = { url: "https://example.com/hook", ...other }
  yield* endpoints.create(tenantId, id, input, Redacted.make("whsec_AAAA"), noon)
  if (!enabled) yield* endpoints.update(tenantId, id, { enabled })
})

export const deliveryAnnouncementsContract = (it: Vitest.MethodsNonLive<DeliveryServices>) => {
  it.effect("the plan knows what the tenants at hand have set, as it is now", () =>
    Effect.gen(function* () {
      yield* drain
      const policies = yield* RoutingPolicyStore
      const users = yield* UserDirectory
      const [set, bare] = [freshKey(), freshKey()]
      const policy = { timeZone: "Europe/Berlin", types: { order_created: { critical: true } } }
      yield* policies.set(set.tenantId, policy)
      yield* users.create(set.tenantId, set.userId, { timeZone: "Asia/Tokyo" }, noon)
      yield* endpoint(set.tenantId, "all")
      yield* endpoint(set.tenantId, "some", { types: ["order_created"] })
      yield* endpoint(set.tenantId, "other", { events: ["delivery.sent"] })
      yield* endpoint(set.tenantId, "off", {}, false)
      const contexts: Array<PlanContext> = []
      const zones: Array<string | null> = []
      const note = Effect.suspend(() =>
        planAll((due, context) => {
          contexts.push(context)
          if (due.tenantId === set.tenantId) zones.push(due.timeZone)
          return []
        })
      )
      yield* accept(set, 1)
      yield* accept(bare, 1)
      yield* note
      const [context] = contexts
      expect(contexts.every((other) => other === context)).toBe(true)
      expect(zones).toEqual(["Asia/Tokyo"])
      expect([...(context?.policies ?? [])]).toEqual([[set.tenantId, policy]])
      expect([...(context?.endpoints ?? [])]).toEqual([
        [
          set.tenantId,
          [
            { id: "all", types: undefined },
            { id: "some", types: ["order_created"] }
          ]
        ]
      ])
      contexts.length = 0
      yield* policies.set(set.tenantId, { timeZone: "UTC" })
      for (const name of ["b", "c"]) {
        yield* accept({ ...set, userId: freshKey(name).userId }, 1)
        yield* note
      }
      expect(contexts.map((each) => each.policies.get(set.tenantId))).toEqual([
        { timeZone: "UTC" },
        { timeZone: "UTC" }
      ])
    })
  )

  it.effect("endpoints that subscribe to it hear of each new state of a delivery, once", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* endpoint(key.tenantId, "sent", { events: ["delivery.sent", "delivery.delivered"], types: ["other"] })
      yield* endpoint(key.tenantId, "dead", { events: ["delivery.dead", "delivery.delivered"] })
      yield* endpoint(key.tenantId, "created")
      yield* endpoint(key.tenantId, "off", { events: ["delivery.sent"] }, false)
      yield* endpoint(freshTenant(), "stranger", { events: ["delivery.sent"] })
      const webhook = { ...push, channel: "webhook", target: { _tag: "Endpoint", endpointId: "created" } } as const
      const [row] = yield* planned(key, [push, email, webhook])
      const claims = yield* claimOf(key)
      const now = secondsAfterNoon(5)
      const of = (channel: string) =>
        claims.find(({ delivery }) => delivery.channel === channel) ?? expect.unreachable()
      const reports = [
        reportOf(of("push"), sent("m-1")),
        reportOf(of("email"), failed(secondsAfterNoon(9))),
        reportOf(of("webhook"), sent(null, "webhook"))
      ]
      yield* store.report(reports, now)
      yield* store.report(reports, now)
      const heard = Effect.map(claimOf(key, { channels: ["webhook"], now }), (told) =>
        told
          .map(
            ({ content, delivery }) =>
              [delivery.target._tag === "Endpoint" ? delivery.target.endpointId : "", content] as const
          )
          .toSorted(([left], [right]) => (left < right ? -1 : 1))
      )
      const told = (type: string, channel: string, state: string, provider: string | null, reason: string | null) => ({
        type,
        timestamp: DateTime.formatIso(now),
        data: {
          delivery_id: of(channel).delivery.id,
          notification_id: row?.id,
          user_id: key.userId,
          channel,
          state,
          provider,
          reason
        }
      })
      expect(yield* heard).toEqual([["sent", told("delivery.sent", "push", "sent", "fcm", null)]])
      const [again] = yield* claimOf(key, { channels: ["email"], now: secondsAfterNoon(9) })
      if (again === undefined) return expect.unreachable()
      yield* store.report([reportOf(again, dead)], now)
      expect(yield* heard).toEqual([["dead", told("delivery.dead", "email", "dead", null, "invalid")]])
      const news = eventOf({ providerMessageId: "m-1", code: "handset" })
      yield* store.recordEvents([news], now)
      yield* store.recordEvents([news], now)
      const delivered = told("delivery.delivered", "push", "delivered", "fcm", "handset")
      expect(yield* heard).toEqual([
        ["dead", delivered],
        ["sent", delivered]
      ])
    })
  )
}
