import type { DeliveryState, ProviderEvent } from "@beckon/domain/Delivery"
import { DeliveryId } from "@beckon/domain/Delivery"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { Claimed } from "@beckon/domain/ports/DeliveryStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { DateTime, Duration, Effect, Option } from "effect"
import {
  claimOf,
  dead,
  drain,
  email,
  eventOf,
  planned,
  push,
  reportOf,
  secondsAfterNoon,
  sent
} from "./DeliveryFixtures.ts"
import type { DeliveryServices } from "./DeliveryStore.contract.ts"
import { freshKey, noon } from "./Fixtures.ts"

const permutations = <A>(values: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  values.length === 0
    ? [[]]
    : values.flatMap((value, index) =>
        permutations(values.toSpliced(index, 1)).map((rest) => [value, ...rest] as const)
      )

const subsets = <A>(values: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  values.reduce<ReadonlyArray<ReadonlyArray<A>>>(
    (sets, value) => [...sets, ...sets.map((set) => [...set, value])],
    [[]]
  )

const rank: ReadonlyArray<DeliveryState> = ["sent", "delivered", "dead", "seen"]

const stateOf = (id: DeliveryId, tenantId: Parameters<DeliveryStore["Service"]["get"]>[0]) =>
  Effect.flatMap(DeliveryStore, (store) =>
    Effect.map(store.get(tenantId, id), (found) => (Option.isSome(found) ? found.value.state : undefined))
  )

export const deliveryEventsContract = (it: Vitest.MethodsNonLive<DeliveryServices>) => {
  it.effect(
    "what a provider tells ends the same in every order, told twice, and before or after the worker's word",
    () =>
      Effect.gen(function* () {
        const store = yield* DeliveryStore
        const told = ["sent", "delivered", "seen", "dead"] as const
        // `report` is the worker's own word that it was sent.
        const orders = subsets(told).flatMap((set) => permutations([...set, "report" as const]))
        yield* drain
        const key = freshKey()
        yield* planned(key, [push], orders.length)
        const claims = yield* claimOf(key)
        expect(claims).toHaveLength(orders.length)
        const stories = orders.map((order, index) => ({ order, index, one: claims[index] ?? expect.unreachable() }))
        const nameOf = ({ delivery }: Claimed) => `message-${delivery.id}`
        for (let step = 0; step <= told.length; step++) {
          const events = stories.flatMap(({ index, one, order }) => {
            const state = order[step]
            if (state === undefined || state === "report") return []
            // Some providers know our id, others only theirs.
            const whose = index % 2 === 0 ? { deliveryId: one.delivery.id } : { providerMessageId: nameOf(one) }
            return [eventOf({ state, ...whose })]
          })
          const reports = stories.filter(({ order }) => order[step] === "report")
          expect(yield* store.recordEvents([...events, ...events], noon)).toBe(events.length)
          expect(yield* store.recordEvents(events, noon)).toBe(0)
          yield* store.report(
            reports.map(({ one }) => reportOf(one, sent(nameOf(one)))),
            noon
          )
        }
        const states = new Map(
          (yield* store.list(key.tenantId, { limit: orders.length })).map(({ id, state }) => [id, state])
        )
        const wrong = stories.flatMap(({ one, order }) => {
          const expected = rank.findLast((state) => order.includes(state as "sent")) ?? "sent"
          const state = states.get(one.delivery.id)
          return state === expected ? [] : [{ order, state, expected }]
        })
        expect(wrong).toEqual([])
      })
  )

  it.effect("news of an unknown message wait for it, and are part of its history", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [email])
      const [one] = yield* claimOf(key)
      if (one === undefined) return expect.unreachable()
      const name = `early-${one.delivery.id}`
      const opened = eventOf({
        provider: "smtp",
        providerMessageId: name,
        state: "seen",
        code: "open",
        at: secondsAfterNoon(9)
      })
      const deferred = eventOf({
        provider: "smtp",
        providerMessageId: name,
        state: null,
        code: "deferred",
        detail: "Later"
      })
      const stranger = eventOf({ provider: "other", providerMessageId: name, state: "dead", code: "bounce" })
      expect(yield* store.recordEvents([opened, deferred, stranger], noon)).toBe(3)
      expect(yield* stateOf(one.delivery.id, key.tenantId)).toBe("sending")
      yield* store.report([reportOf(one, sent(name, "smtp"))], secondsAfterNoon(10))
      const found = Option.getOrThrow(yield* store.get(key.tenantId, one.delivery.id))
      expect(found).toMatchObject({ state: "seen", provider: "smtp", providerMessageId: name, reason: "open" })
      const told = ({ at, code, detail, provider, state }: ProviderEvent) => ({
        _tag: "Event",
        provider,
        state,
        code,
        detail,
        at
      })
      expect(found.history).toEqual([told(deferred), told(opened)])
    })
  )

  it.effect("news whose message does not become known within three days are dropped", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const [stale, known, fresh] = ["stale", "known", "fresh"].map((name) =>
        eventOf({ providerMessageId: `${name}-${key.tenantId}` })
      )
      if (stale === undefined || known === undefined || fresh === undefined) return expect.unreachable()
      yield* planned(key, [push])
      const [one] = yield* claimOf(key)
      if (one === undefined) return expect.unreachable()
      yield* store.report([reportOf(one, sent(known.providerMessageId))], noon)
      yield* store.recordEvents([stale, known], noon)
      yield* store.recordEvents([fresh], secondsAfterNoon(1))
      // Those that are kept are known when they come again.
      const threeDays = DateTime.add(noon, { days: 3 })
      yield* store.reconcile(threeDays, Duration.minutes(1))
      expect(yield* store.recordEvents([stale, known, fresh], threeDays)).toBe(0)
      yield* store.reconcile(DateTime.add(threeDays, { seconds: 1 }), Duration.minutes(1))
      expect(yield* store.recordEvents([stale, known, fresh], threeDays)).toBe(1)
      expect(yield* stateOf(one.delivery.id, key.tenantId)).toBe("delivered")
    })
  )

  it.effect("news about nothing that is known change nothing", () =>
    Effect.gen(function* () {
      const store = yield* DeliveryStore
      const ghost = eventOf({ deliveryId: DeliveryId.make("nothing") })
      expect(yield* store.recordEvents([ghost], noon)).toBe(1)
      expect(yield* store.recordEvents([ghost, eventOf({})], noon)).toBe(1)
      expect(yield* store.recordEvents([], noon)).toBe(0)
    })
  )

  it.effect("a delivery that was given up is seen when somebody saw it, unless it was sent again", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push, email])
      const claims = yield* claimOf(key)
      yield* store.report(
        claims.map((one) => reportOf(one, dead)),
        noon
      )
      const [replayed, other] = claims.map(({ delivery }) => delivery.id)
      if (replayed === undefined || other === undefined) return expect.unreachable()
      yield* store.replay(key.tenantId, { _tag: "Ids", ids: [replayed] }, noon)
      const seen = [replayed, other].map((deliveryId) => eventOf({ deliveryId, state: "seen" }))
      yield* store.recordEvents(seen, noon)
      expect(yield* stateOf(replayed, key.tenantId)).toBe("dead")
      expect(yield* stateOf(other, key.tenantId)).toBe("seen")
    })
  )
}
