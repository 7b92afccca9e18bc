import type { TenantId } from "@beckon/domain/Identifiers"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect, Option, Redacted } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

const url = "https://hooks.example/beckon?key=ø"
const secret = (text: string) => Redacted.make(`whsec_${text}`)

const created = Effect.fnUntraced(function* (tenantId: TenantId = freshTenant(), id = "one") {
  const store = yield* WebhookEndpointStore
  return yield* store.create(tenantId, id, { url }, secret("first"), noon)
})

/** The texts of the secrets that sign at this hour, with their ends. */
const signing = Effect.fnUntraced(function* (tenantId: TenantId, hours: number, id = "one") {
  const store = yield* WebhookEndpointStore
  const secrets = yield* store.secrets(tenantId, id, hoursAfterNoon(hours))
  return secrets.map((one) => [Redacted.value(one.secret).replace("whsec_", ""), one.until] as const)
})

export const webhookEndpointStoreContract = (it: Vitest.MethodsNonLive<WebhookEndpointStore>) => {
  it.effect(
    "an endpoint comes back whole, on, and about new notifications of every type unless it says otherwise",
    () =>
      Effect.gen(function* () {
        const store = yield* WebhookEndpointStore
        const tenantId = freshTenant()
        const endpoint = yield* store.create(tenantId, "one", { url }, secret("first"), noon)
        expect(endpoint).toEqual({
          id: "one",
          tenantId,
          url,
          description: null,
          events: ["notification.created"],
          types: null,
          enabled: true,
          disabledReason: null,
          failingSince: null,
          createdAt: noon
        })
        expect(yield* store.get(tenantId, "one")).toEqual(Option.some(endpoint))
        const input = {
          url,
          description: "Ø",
          events: ["delivery.dead", "delivery.sent"],
          types: ["a", "b 👋"]
        } as const
        const other = yield* store.create(tenantId, "two", input, secret("second"), noon)
        expect(other).toMatchObject(input)
        expect(yield* store.get(tenantId, "two")).toEqual(Option.some(other))
      })
  )

  it.effect("an id that is taken is refused, and changes nothing", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const { tenantId } = yield* created()
      const again = store.create(tenantId, "one", { url: "https://other.example" }, secret("other"), noon)
      expect(yield* Effect.flip(again)).toMatchObject({ _tag: "StoreUnavailable" })
      expect(Option.getOrThrow(yield* store.get(tenantId, "one")).url).toBe(url)
      expect(yield* signing(tenantId, 0)).toEqual([["first", null]])
    })
  )

  it.effect("the list has the tenant's own, the oldest first", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const tenantId = freshTenant()
      const second = yield* store.create(tenantId, "a", { url }, secret("2"), hoursAfterNoon(2))
      const third = yield* store.create(tenantId, "b", { url }, secret("3"), hoursAfterNoon(2))
      const first = yield* store.create(tenantId, "c", { url }, secret("1"), hoursAfterNoon(1))
      const { tenantId: other } = yield* created()
      expect(yield* store.list(tenantId)).toEqual([first, second, third])
      expect(yield* store.list(freshTenant())).toEqual([])
      expect(yield* store.get(other, "a")).toEqual(Option.none())
      expect(yield* store.update(other, "a", { enabled: false })).toEqual(Option.none())
      expect(yield* store.rotate(other, "a", secret("x"), noon, noon)).toBe(false)
      expect(yield* signing(other, 0, "a")).toEqual([])
    })
  )

  it.effect("an update changes what it names and nothing else", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const endpoint = yield* created()
      const { tenantId } = endpoint
      const bystander = yield* created(tenantId, "bystander")
      const changes = [
        { url: "https://new.example" },
        { description: "new" },
        { types: ["order_created"] },
        { events: ["delivery.dead", "delivery.seen"] }
      ] as const
      let expected: typeof endpoint = endpoint
      for (const change of changes) {
        expected = { ...expected, ...change }
        expect(yield* store.update(tenantId, "one", change)).toEqual(Option.some(expected))
        expect(yield* store.get(tenantId, "one")).toEqual(Option.some(expected))
      }
      expect(yield* store.update(tenantId, "one", {})).toEqual(Option.some(expected))
      expect(yield* store.get(tenantId, "bystander")).toEqual(Option.some(bystander))
      expect(yield* store.update(tenantId, "none", { url })).toEqual(Option.none())
    })
  )

  it.effect("switched off by an admin it says so, and switched on again it has forgotten its failures", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const { tenantId } = yield* created()
      yield* store.noteOutcome(tenantId, "one", false, noon, hoursAfterNoon(-9))
      const off = Option.getOrThrow(yield* store.update(tenantId, "one", { enabled: false }))
      expect(off).toMatchObject({ enabled: false, disabledReason: "admin", failingSince: noon })
      const on = Option.getOrThrow(yield* store.update(tenantId, "one", { enabled: true }))
      expect(on).toMatchObject({ enabled: true, disabledReason: null, failingSince: null })
      expect(yield* store.noteOutcome(tenantId, "one", false, noon, hoursAfterNoon(-9))).toBe(false)
      expect(yield* store.noteOutcome(tenantId, "one", false, hoursAfterNoon(9), hoursAfterNoon(1))).toBe(true)
      // It is off already, and the reason why stays.
      expect(Option.getOrThrow(yield* store.update(tenantId, "one", { enabled: false })).disabledReason).toBe(
        "failures"
      )
      expect(Option.getOrThrow(yield* store.update(tenantId, "one", { enabled: true }))).toEqual(on)
    })
  )

  it.effect("an endpoint that has failed for too long is switched off, and a success in between begins anew", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const { tenantId } = yield* created()
      const note = (succeeded: boolean, hours: number) =>
        store.noteOutcome(tenantId, "one", succeeded, hoursAfterNoon(hours), hoursAfterNoon(hours - 5))
      const now = Effect.map(store.get(tenantId, "one"), Option.getOrThrow)
      expect(yield* note(true, 0)).toBe(false)
      expect((yield* now).failingSince).toBeNull()
      expect(yield* note(false, 1)).toBe(false)
      expect(yield* note(false, 6)).toBe(false)
      expect(yield* now).toMatchObject({ enabled: true, failingSince: hoursAfterNoon(1) })
      expect(yield* note(true, 7)).toBe(false)
      expect((yield* now).failingSince).toBeNull()
      expect(yield* note(false, 8)).toBe(false)
      expect(yield* note(false, 13)).toBe(false)
      expect(yield* now).toMatchObject({ enabled: true, disabledReason: null })
      expect(yield* note(false, 13.5)).toBe(true)
      const off = yield* now
      expect(off).toMatchObject({ enabled: false, disabledReason: "failures", failingSince: hoursAfterNoon(8) })
      expect(yield* note(false, 14)).toBe(false)
      expect(yield* now).toEqual(off)
      expect(yield* store.noteOutcome(tenantId, "none", false, noon, noon)).toBe(false)
      expect(yield* store.noteOutcome(tenantId, "none", true, noon, noon)).toBe(false)
    })
  )

  it.effect("of many failures at the same time one switches the endpoint off", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const { tenantId } = yield* created()
      const all = Array.range(1, 20)
      const note = (hours: number) =>
        Effect.forEach(
          all,
          (number) =>
            store.noteOutcome(tenantId, "one", false, hoursAfterNoon(hours + number / 100), hoursAfterNoon(hours - 5)),
          { concurrency: "unbounded" }
        )
      expect(yield* note(0)).toEqual(all.map(() => false))
      const since = Option.getOrThrow(yield* store.get(tenantId, "one")).failingSince
      expect(since).not.toBeNull()
      expect((yield* note(9)).filter((switchedOff) => switchedOff)).toEqual([true])
      expect(Option.getOrThrow(yield* store.get(tenantId, "one"))).toMatchObject({
        enabled: false,
        disabledReason: "failures",
        failingSince: since
      })
    })
  )

  it.effect("a secret that was rotated signs until its time, behind the new one", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const { tenantId } = yield* created()
      yield* created(tenantId, "bystander")
      expect(yield* signing(tenantId, 0)).toEqual([["first", null]])
      const rotate = (text: string, until: number, now: number) =>
        store.rotate(tenantId, "one", secret(text), hoursAfterNoon(until), hoursAfterNoon(now))
      expect(yield* rotate("second", 24, 0)).toBe(true)
      expect(yield* signing(tenantId, 1)).toEqual([
        ["second", null],
        ["first", hoursAfterNoon(24)]
      ])
      // A former secret signs no longer than it was told to, and shorter when it is told so.
      expect(yield* rotate("third", 30, 6)).toBe(true)
      expect(yield* signing(tenantId, 7)).toEqual([
        ["third", null],
        ["second", hoursAfterNoon(30)],
        ["first", hoursAfterNoon(24)]
      ])
      expect((yield* signing(tenantId, 24)).map(([text]) => text)).toEqual(["third", "second"])
      expect(yield* rotate("fourth", 26, 25)).toBe(true)
      expect(yield* signing(tenantId, 25)).toEqual([
        ["fourth", null],
        ["third", hoursAfterNoon(26)],
        ["second", hoursAfterNoon(26)]
      ])
      // What was forgotten does not come back, whatever time it is asked about.
      expect((yield* signing(tenantId, 0)).map(([text]) => text)).toEqual(["fourth", "third", "second"])
      expect(yield* signing(tenantId, 0, "bystander")).toEqual([["first", null]])
      expect(yield* rotate("fifth", 40, 40)).toBe(true)
      expect(yield* signing(tenantId, 40)).toEqual([["fifth", null]])
    })
  )

  it.effect("of many secrets that come at the same time one signs without end, and all others until their time", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const { tenantId } = yield* created()
      yield* Effect.forEach(
        Array.range(1, 10),
        (number) => store.rotate(tenantId, "one", secret(`${number}`), hoursAfterNoon(24), noon),
        { concurrency: "unbounded" }
      )
      const [newest, ...former] = yield* signing(tenantId, 1)
      expect(newest?.[1]).toBeNull()
      expect(former).toHaveLength(10)
      expect(former.map(([, until]) => until)).toEqual(former.map(() => hoursAfterNoon(24)))
    })
  )

  it.effect("an endpoint that is removed is gone with its secrets", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const { tenantId } = yield* created()
      const { tenantId: other } = yield* created()
      expect(yield* store.remove(tenantId, "one")).toBe(true)
      expect(yield* store.remove(tenantId, "one")).toBe(false)
      expect(yield* store.get(tenantId, "one")).toEqual(Option.none())
      expect(yield* signing(tenantId, 0)).toEqual([])
      yield* store.create(tenantId, "one", { url }, secret("new"), noon)
      expect(yield* signing(tenantId, 0)).toEqual([["new", null]])
      expect(yield* signing(other, 0)).toEqual([["first", null]])
    })
  )
}
