import { TenantId } from "@beckon/domain/Identifiers"
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import type { Preferences } from "@beckon/domain/Preferences"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, DateTime, Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import { freshKey, freshTenant, hoursAfterNoon, noon, user } from "./Fixtures.ts"

export const preferenceStoreContract = (it: Vitest.MethodsNonLive<PreferenceStore>) => {
  it.effect("preferences are the initial ones until they are set, and then the last ones set", () =>
    Effect.gen(function* () {
      const store = yield* PreferenceStore
      const key = freshKey()
      expect(yield* store.get(key)).toEqual({ channels: {}, mutedTypes: [] })
      yield* store.set(key, { channels: { push: false, email: true }, mutedTypes: ["driver_nearby", "ø 👋"] })
      yield* store.set(key, { channels: { push: true }, mutedTypes: ["b", "a"] })
      expect(yield* store.get(key)).toEqual({ channels: { push: true }, mutedTypes: ["b", "a"] })
      expect(yield* store.get({ ...key, userId: user("bob") })).toEqual({ channels: {}, mutedTypes: [] })
      expect(yield* store.get(freshKey())).toEqual({ channels: {}, mutedTypes: [] })
    })
  )

  it.effect("preferences come back whole, with everything that they can hold", () =>
    Effect.gen(function* () {
      const store = yield* PreferenceStore
      const key = freshKey()
      const preferences: Preferences = {
        channels: { in_app: true, push: true, email: false, sms: false, whatsapp: true, webhook: false },
        mutedTypes: [],
        types: { order_created: { push: false, sms: true }, "ø 👋": {} },
        categories: { Ørders: { email: true } },
        quietHours: { start: "22:00", end: "07:00", channels: ["push", "sms"], days: [1, 7] },
        timeZone: "Europe/Berlin",
        language: "pt-BR"
      }
      yield* store.set(key, preferences)
      expect(yield* store.get(key)).toEqual(preferences)
      yield* store.set(key, { channels: {}, mutedTypes: [] })
      expect(yield* store.get(key)).toEqual({ channels: {}, mutedTypes: [] })
    })
  )

  it.effect("preferences are set over what is expected only, by one of many who expect the same", () =>
    Effect.gen(function* () {
      const store = yield* PreferenceStore
      const key = freshKey()
      const wishes = (type: string) => ({ channels: {}, mutedTypes: [type] })
      const mutes = (count: number) => (current: { readonly mutedTypes: ReadonlyArray<string> }) =>
        current.mutedTypes.length === count
      expect(yield* store.setIf(key, wishes("a"), mutes(1))).toBe(false)
      expect(yield* store.get(key)).toEqual({ channels: {}, mutedTypes: [] })
      expect(yield* store.setIf(key, wishes("b"), mutes(0))).toBe(true)
      expect(yield* store.setIf(key, wishes("c"), mutes(0))).toBe(false)
      expect(yield* store.get(key)).toEqual(wishes("b"))
      for (const fresh of [freshKey(), key]) {
        const first = (yield* store.get(fresh)).mutedTypes[0]
        const answers = yield* Effect.forEach(
          Array.range(1, 10),
          (number) => store.setIf(fresh, wishes(`n${number}`), ({ mutedTypes }) => mutedTypes[0] === first),
          { concurrency: "unbounded" }
        )
        expect(answers.filter((was) => was)).toHaveLength(1)
      }
    })
  )
}

export const userDirectoryContract = (it: Vitest.MethodsNonLive<UserDirectory>) => {
  it.effect("profiles come in the order of the ids, an unknown user with only his id", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenantId = freshTenant()
      const ada = { userId: user("ada"), name: "Ada 👩‍🚀", email: "ada@example.com", image: null }
      const bob = { userId: user("bob"), name: null, email: null, image: "https://example.com/bob.png" }
      const nobody = { userId: user("nobody"), name: null, email: null, image: null }
      yield* directory.remember(tenantId, bob)
      yield* directory.remember(tenantId, { ...ada, name: "Before" })
      yield* directory.remember(tenantId, ada)
      yield* directory.remember(tenantId, ada)
      expect(
        yield* directory.lookup(
          tenantId,
          [nobody, bob, ada, bob].map(({ userId }) => userId)
        )
      ).toEqual([nobody, bob, ada, bob])
      expect(yield* directory.lookup(tenantId, [])).toEqual([])
      expect(yield* directory.lookup(freshTenant(), [nobody.userId])).toEqual([nobody])
    })
  )

  it.effect("what a token does not say stays, and so does what no token can say", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenantId = freshTenant()
      const userId = user("ada")
      const known = { name: "Ada", email: "ada@example.com", image: "https://example.com/ada.png" }
      const more = { phone: "+4915112345678", language: "de", timeZone: "Europe/Berlin", roles: ["driver"] }
      yield* directory.create(tenantId, userId, { ...known, ...more }, noon)
      const now = Effect.map(directory.find(tenantId, [userId]), ([one]) => one)
      yield* directory.remember(tenantId, { userId, name: null, email: null, image: null })
      yield* directory.remember(tenantId, { userId, name: "Ada", email: null, image: known.image })
      // Nothing new: nothing is written.
      expect(yield* now).toEqual({ userId, ...known, ...more, updatedAt: noon })
      yield* TestClock.adjust("1234 millis")
      yield* directory.remember(tenantId, { userId, name: "Ada L.", email: null, image: null })
      expect(yield* now).toEqual({ userId, ...known, ...more, name: "Ada L.", updatedAt: yield* DateTime.now })
      yield* directory.update(tenantId, userId, { email: null }, noon)
      yield* directory.remember(tenantId, { userId, name: null, email: "new@example.com", image: null })
      expect(yield* now).toMatchObject({ name: "Ada L.", email: "new@example.com", image: known.image })
    })
  )

  it.effect("a user whom a token made known has nothing but its profile", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenantId = freshTenant()
      yield* TestClock.adjust("1234 millis")
      const profile = { userId: user("ada"), name: "Ada", email: null, image: null }
      yield* directory.remember(tenantId, profile)
      expect(yield* directory.find(tenantId, [profile.userId])).toEqual([
        { ...profile, phone: null, language: null, timeZone: null, roles: [], updatedAt: yield* DateTime.now }
      ])
      expect(yield* directory.create(tenantId, profile.userId, { name: "Other" }, noon)).toEqual(Option.none())
      expect(yield* directory.lookup(tenantId, [profile.userId])).toEqual([profile])
    })
  )

  it.effect("a change leaves what it does not name, and null takes away", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenantId = freshTenant()
      const userId = user("ada")
      const all = {
        name: "Ada 👩‍🚀",
        email: "ada@example.com",
        image: "https://example.com/ada.png",
        phone: "+4915112345678",
        language: "pt-BR",
        timeZone: "America/Sao_Paulo",
        roles: ["driver", "ø 👋"]
      }
      const created = { userId, ...all, updatedAt: noon }
      expect(yield* directory.update(tenantId, userId, all, noon)).toEqual(Option.none())
      expect(yield* directory.create(tenantId, userId, all, noon)).toEqual(Option.some(created))
      expect(yield* directory.create(tenantId, userId, {}, noon)).toEqual(Option.none())
      yield* directory.create(tenantId, user("bystander"), all, noon)
      const changes = [
        { name: null },
        { email: null },
        { image: null },
        { phone: "+12025550123" },
        { language: null },
        { timeZone: null },
        { roles: [] },
        { name: "Ada", phone: null },
        {}
      ]
      let expected: object = created
      for (const [index, change] of changes.entries()) {
        expected = { ...expected, ...change, updatedAt: hoursAfterNoon(index) }
        expect(yield* directory.update(tenantId, userId, change, hoursAfterNoon(index))).toEqual(Option.some(expected))
        expect(yield* directory.find(tenantId, [userId])).toEqual([expected])
      }
      expect(yield* directory.find(tenantId, [user("bystander")])).toEqual([{ ...created, userId: "bystander" }])
    })
  )

  it.effect("find gives those who are known, once each", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenantId = freshTenant()
      for (const name of ["ada", "bob", "cleo"]) yield* directory.create(tenantId, user(name), {}, noon)
      const found = yield* directory.find(tenantId, ["bob", "nobody", "ada", "bob"].map(user))
      expect(found.map(({ userId }) => userId).toSorted()).toEqual(["ada", "bob"])
      expect(yield* directory.find(tenantId, [])).toEqual([])
      expect(yield* directory.find(freshTenant(), [user("ada")])).toEqual([])
    })
  )

  it.effect("the list goes by id, in the order of bytes, page by page, and keeps to a role", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const [tenantId, other] = [freshTenant(), freshTenant()]
      for (const [name, ...roles] of [
        ["b", "driver"],
        ["a", "customer", "driver"],
        ["Z"],
        ["👋", "driver"],
        ["\uffee", "driver"],
        ["a-1", "Driver"]
      ]) {
        yield* directory.create(tenantId, user(name ?? ""), { roles }, noon)
      }
      yield* directory.create(other, user("other"), { roles: ["driver"] }, noon)
      const ids = (options: { readonly role?: string; readonly afterUserId?: string; readonly limit: number }) =>
        Effect.map(
          directory.list(tenantId, {
            limit: options.limit,
            ...(options.role === undefined ? {} : { role: options.role }),
            ...(options.afterUserId === undefined ? {} : { afterUserId: user(options.afterUserId) })
          }),
          (found) => found.map(({ userId }) => userId)
        )
      expect(yield* ids({ limit: 9 })).toEqual(["Z", "a", "a-1", "b", "\uffee", "👋"])
      expect(yield* ids({ limit: 2, afterUserId: "a" })).toEqual(["a-1", "b"])
      expect(yield* ids({ limit: 9, role: "driver" })).toEqual(["a", "b", "\uffee", "👋"])
      expect(yield* ids({ limit: 2, role: "driver", afterUserId: "a" })).toEqual(["b", "\uffee"])
      expect(yield* ids({ limit: 9, role: "driver", afterUserId: "👋" })).toEqual([])
      expect(yield* ids({ limit: 9, role: "nobody" })).toEqual([])
    })
  )

  it.effect("a user who is removed is unknown again, in his tenant only", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const [tenantId, other] = [freshTenant(), freshTenant()]
      const ada = user("ada")
      for (const tenant of [tenantId, other]) yield* directory.create(tenant, ada, { name: "Ada" }, noon)
      expect(yield* directory.remove(tenantId, ada)).toBe(true)
      expect(yield* directory.remove(tenantId, ada)).toBe(false)
      expect(yield* directory.find(tenantId, [ada])).toEqual([])
      expect(yield* directory.list(tenantId, { limit: 9 })).toEqual([])
      expect(yield* directory.find(other, [ada])).toMatchObject([{ name: "Ada" }])
    })
  )

  it.effect("of many who make the same user known at the same time one succeeds", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenantId = freshTenant()
      const created = yield* Effect.forEach(
        ["a", "b", "c", "d", "e"],
        (name) => directory.create(tenantId, user("ada"), { name }, noon),
        { concurrency: "unbounded" }
      )
      const [winner, ...none] = created.flatMap(Option.toArray)
      expect(none).toEqual([])
      expect(yield* directory.find(tenantId, [user("ada")])).toEqual([winner])
    })
  )
}

export const deadLettersContract = (it: Vitest.MethodsNonLive<DeadLetters>) => {
  it.effect("dead letters come newest first, exactly as they were, whatever they hold", () =>
    Effect.gen(function* () {
      const letters = yield* DeadLetters
      yield* TestClock.adjust("1234 millis")
      const awkward = 'NUL \u0000, half a pair \ud83d, \\u0000, 👋, "quotes"'
      const record = { topic: "order-events", key: awkward, headers: { [awkward]: awkward }, value: awkward }
      yield* letters.add({ ...record, value: "first" }, "not JSON")
      yield* letters.add(record, awkward)
      const [newest, other] = yield* letters.list({ limit: 2 })
      expect(newest).toEqual({ ...record, reason: awkward, at: yield* DateTime.now, id: newest?.id })
      expect(other).toMatchObject({ value: "first", reason: "not JSON" })
      expect(newest?.id).not.toBe(other?.id)
      expect(yield* letters.list({ limit: 1 })).toEqual([newest])
    })
  )

  it.effect("a tenant has the dead letters that name it, and those that name nobody are nobody's", () =>
    Effect.gen(function* () {
      const letters = yield* DeadLetters
      const [one, other] = [freshTenant(), freshTenant()]
      const add = (value: string, headers: Readonly<Record<string, string>>) =>
        letters.add({ topic: "order-events", key: "", headers, value }, "not JSON")
      yield* add("first of one", { tenant: one })
      yield* add("of the other", { tenant: other })
      yield* add("second of one", { tenant: one })
      yield* add("of nobody", { tenant: `${one}\u0000` })
      yield* add("of the default", {})
      const valuesOf = (tenantId: TenantId, limit = 10) =>
        Effect.map(letters.list({ tenantId, limit }), (found) => found.map(({ value }) => value))
      expect(yield* valuesOf(one)).toEqual(["second of one", "first of one"])
      expect(yield* valuesOf(one, 1)).toEqual(["second of one"])
      expect(yield* valuesOf(other)).toEqual(["of the other"])
      expect(yield* valuesOf(TenantId.make("default"), 1)).toEqual(["of the default"])
      const all = yield* letters.list({ limit: 5 })
      expect(all.map(({ value }) => value)).toContain("of nobody")
    })
  )
}
