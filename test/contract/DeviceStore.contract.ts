import { maxDevices } from "@beckon/domain/Device"
import type { Device } from "@beckon/domain/Device"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { freshKey, user } from "./Fixtures.ts"

const phone = (token: string): Device => ({ platform: "android", token })

export const deviceStoreContract = (it: Vitest.MethodsNonLive<DeviceStore>) => {
  it.effect("devices come back whole, newest first", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const key = freshKey()
      const devices: ReadonlyArray<Device> = [
        { platform: "ios", token: "x".repeat(4_096) },
        { platform: "web", token: '{"endpoint":"https://push.example/ø👋"}' },
        phone("token")
      ]
      for (const device of devices) yield* store.register(key, device)
      expect(yield* store.list(key)).toEqual(devices.toReversed())
      expect(yield* store.list({ ...key, userId: user("bob") })).toEqual([])
    })
  )

  it.effect("a token that is registered again is one device, the newest, with its new platform", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const key = freshKey()
      yield* store.register(key, phone("one"))
      yield* store.register(key, phone("two"))
      yield* store.register(key, { platform: "web", token: "one" })
      expect(yield* store.list(key)).toEqual([{ platform: "web", token: "one" }, phone("two")])
    })
  )

  it.effect("a token belongs to the user who registered it last, within one tenant", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const ada = freshKey("ada")
      const [bob, otherTenant] = [{ ...ada, userId: user("bob") }, freshKey("ada")]
      yield* store.register(ada, phone("shared"))
      yield* store.register(otherTenant, phone("shared"))
      yield* store.register(bob, phone("shared"))
      expect(yield* store.list(ada)).toEqual([])
      expect(yield* store.list(bob)).toEqual([phone("shared")])
      expect(yield* store.list(otherTenant)).toEqual([phone("shared")])
      expect(yield* store.unregister(ada, "shared")).toBe(false)
      expect(yield* store.list(bob)).toEqual([phone("shared")])
    })
  )

  it.effect("unregister says whether the user had the token", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const key = freshKey()
      yield* store.register(key, phone("one"))
      yield* store.register(key, phone("two"))
      expect(yield* store.unregister(key, "one")).toBe(true)
      expect(yield* store.unregister(key, "one")).toBe(false)
      expect(yield* store.list(key)).toEqual([phone("two")])
    })
  )

  it.effect("beyond the most devices, the one that was registered longest ago leaves", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const [key, other] = [freshKey(), freshKey()]
      yield* store.register(other, phone("other"))
      for (let index = 0; index < maxDevices; index++) yield* store.register(key, phone(`token-${index}`))
      yield* store.register(key, phone("token-0"))
      yield* store.register(key, phone("token-9"))
      expect(yield* store.list(key)).toHaveLength(maxDevices)
      yield* store.register(key, phone("one more"))
      const tokens = (yield* store.list(key)).map(({ token }) => token)
      expect(tokens).toHaveLength(maxDevices)
      expect(tokens.slice(0, 4)).toEqual(["one more", "token-9", "token-0", `token-${maxDevices - 1}`])
      expect(tokens.at(-1)).toBe("token-2")
      expect(yield* store.list(other)).toEqual([phone("other")])
    })
  )

  it.effect("a token that two users register at the same time ends with one of them", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const ada = freshKey("ada")
      const bob = { ...ada, userId: user("bob") }
      yield* Effect.all([store.register(ada, phone("shared")), store.register(bob, phone("shared"))], {
        concurrency: "unbounded"
      })
      expect([...(yield* store.list(ada)), ...(yield* store.list(bob))]).toEqual([phone("shared")])
    })
  )

  it.effect(
    "the devices of several users come for each key, in the order of the keys, each with a hash of its token",
    () =>
      Effect.gen(function* () {
        const store = yield* DeviceStore
        const ada = freshKey("ada")
        const [bob, nobody, other] = [
          { ...ada, userId: user("bob") },
          { ...ada, userId: user("nobody") },
          freshKey("ada")
        ]
        yield* store.register(ada, phone("one"))
        yield* store.register(bob, { platform: "web", token: "ø👋" })
        yield* store.register(ada, { platform: "ios", token: "two" })
        yield* store.register(other, phone("one"))
        const found = yield* store.listAll([nobody, bob, ada, other])
        expect(found.map(({ key }) => key)).toEqual([nobody, bob, ada, other])
        expect(found.map(({ devices }) => devices.map(({ platform, token }) => ({ platform, token })))).toEqual([
          [],
          [{ platform: "web", token: "ø👋" }],
          [{ platform: "ios", token: "two" }, phone("one")],
          [phone("one")]
        ])
        const hashes = found.flatMap(({ devices }) => devices.map(({ hash }) => hash))
        for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{64}$/)
        expect(new Set(hashes).size).toBe(4)
        // The token moves, and its hash goes with it.
        yield* store.register(bob, phone("one"))
        const [after] = yield* store.listAll([bob])
        expect(after?.devices[0]).toEqual({ ...phone("one"), hash: found[2]?.devices[1]?.hash })
        expect(yield* store.listAll([])).toEqual([])
      })
  )

  it.effect("no user has more than the most devices, when several are asked for", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const ada = freshKey("ada")
      const bob = { ...ada, userId: user("bob") }
      for (let index = 0; index < maxDevices + 2; index++) {
        yield* store.register(ada, phone(`ada-${index}`))
        yield* store.register(bob, phone(`bob-${index}`))
      }
      const found = yield* store.listAll([ada, bob])
      expect(found.map(({ devices }) => devices.length)).toEqual([maxDevices, maxDevices])
      expect(found[1]?.devices[0]?.token).toBe(`bob-${maxDevices + 1}`)
    })
  )

  it.effect("dead tokens leave, whoever has them, in their tenant only", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const ada = freshKey("ada")
      const [bob, other] = [{ ...ada, userId: user("bob") }, freshKey("ada")]
      for (const token of ["one", "two", "three"]) yield* store.register(ada, phone(token))
      yield* store.register(bob, phone("four"))
      yield* store.register(other, phone("one"))
      expect(yield* store.removeDead(ada.tenantId, ["one", "four", "unknown", "one"])).toBe(2)
      expect(yield* store.list(ada)).toEqual([phone("three"), phone("two")])
      expect(yield* store.list(bob)).toEqual([])
      expect(yield* store.list(other)).toEqual([phone("one")])
      expect(yield* store.removeDead(ada.tenantId, ["one"])).toBe(0)
      expect(yield* store.removeDead(ada.tenantId, [])).toBe(0)
    })
  )
}
