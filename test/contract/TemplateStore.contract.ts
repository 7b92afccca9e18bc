import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import type { TemplateInput } from "@beckon/domain/Template"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect, Option } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

const template = (title: string, other: Partial<TemplateInput> = {}): TemplateInput => ({
  texts: { default: { title, message: "{{ name }} 👋" } },
  ...other
})

const versionOf = <E, R>(found: Effect.Effect<Option.Option<{ readonly version: number }>, E, R>) =>
  Effect.map(found, (one) => Option.getOrUndefined(Option.map(one, ({ version }) => version)))

export const templateStoreContract = (it: Vitest.MethodsNonLive<TemplateStore>) => {
  it.effect("a template comes back whole, with everything that it can hold", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const tenantId = freshTenant()
      const full: TemplateInput = {
        description: "Ørder",
        texts: {
          default: {
            title: "Order {{ id }}",
            message: "",
            push: { title: "t", body: "b" },
            email: { subject: "s", text: "t", html: "<p>{{ id }}</p>\n\t" },
            sms: { text: "sms" },
            whatsapp: { text: "w", template: { name: "order", language: "en_US", parameters: ["{{ id }}", ""] } }
          },
          "pt-BR": { title: "Pedido", message: "Olá 👋" }
        },
        variables: { type: "object", properties: { id: { type: "string" }, total: { type: "number", minimum: 0.1 } } }
      }
      const saved = yield* store.put(tenantId, "order", full, true, noon)
      expect(saved).toEqual({ ...full, code: "order", version: 1, createdAt: noon })
      expect(yield* store.get(tenantId, "order")).toEqual(Option.some(saved))
      const bare = yield* store.put(tenantId, "bare", template("Bare"), true, noon)
      expect(bare).toMatchObject({ description: null, variables: null })
      expect(yield* store.get(tenantId, "bare")).toEqual(Option.some(bare))
    })
  )

  it.effect("versions count up from 1; the active one is what get answers, until another is made active", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const tenantId = freshTenant()
      yield* store.put(tenantId, "order", template("one", { description: "first" }), true, noon)
      yield* store.put(tenantId, "order", template("two"), true, hoursAfterNoon(1))
      yield* store.put(tenantId, "order", template("three"), false, hoursAfterNoon(2))
      expect(yield* versionOf(store.get(tenantId, "order"))).toBe(2)
      expect(Option.getOrThrow(yield* store.get(tenantId, "order", 3)).texts["default"]?.title).toBe("three")
      expect(yield* store.versions(tenantId, "order")).toEqual([
        { version: 3, createdAt: hoursAfterNoon(2) },
        { version: 2, createdAt: hoursAfterNoon(1) },
        { version: 1, createdAt: noon }
      ])
      expect(yield* store.activate(tenantId, "order", 1, hoursAfterNoon(3))).toBe(true)
      expect(yield* versionOf(store.get(tenantId, "order"))).toBe(1)
      expect(yield* store.list(tenantId, { limit: 10 })).toEqual([
        { code: "order", description: "first", activeVersion: 1, latestVersion: 3, updatedAt: hoursAfterNoon(3) }
      ])
      for (const version of [0, 4, -1]) {
        expect(yield* store.activate(tenantId, "order", version, noon)).toBe(false)
        expect(yield* store.get(tenantId, "order", version)).toEqual(Option.none())
      }
      expect(yield* versionOf(store.get(tenantId, "order"))).toBe(1)
    })
  )

  it.effect("one of each template is active: the first is, whatever it was told", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const tenantId = freshTenant()
      yield* store.put(tenantId, "order", template("one"), false, noon)
      yield* store.put(tenantId, "order", template("two"), false, noon)
      expect(yield* versionOf(store.get(tenantId, "order"))).toBe(1)
    })
  )

  it.effect("tenants and codes are apart, and what is not there is not there", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const [one, other] = [freshTenant(), freshTenant()]
      yield* store.put(one, "order", template("one"), true, noon)
      yield* store.put(one, "order", template("two"), true, noon)
      yield* store.put(other, "order", template("other"), true, noon)
      expect(yield* versionOf(store.get(other, "order"))).toBe(1)
      expect(yield* store.get(other, "order", 2)).toEqual(Option.none())
      expect(yield* store.activate(other, "order", 2, noon)).toBe(false)
      expect(yield* store.get(one, "Order")).toEqual(Option.none())
      expect(yield* store.versions(one, "Order")).toEqual([])
      expect(yield* store.remove(one, "Order")).toBe(false)
      expect(yield* store.remove(one, "order")).toBe(true)
      expect(yield* store.remove(one, "order")).toBe(false)
      expect(yield* store.get(one, "order")).toEqual(Option.none())
      expect(yield* store.get(one, "order", 1)).toEqual(Option.none())
      expect(yield* store.versions(one, "order")).toEqual([])
      expect(yield* versionOf(store.get(other, "order"))).toBe(1)
      expect((yield* store.put(one, "order", template("again"), true, noon)).version).toBe(1)
    })
  )

  it.effect("the list goes by code, in the order of bytes, page by page", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const tenantId = freshTenant()
      for (const code of ["b", "a", "Z", "\uffee", "👋", "a-1"]) {
        yield* store.put(tenantId, code, template(code), true, noon)
      }
      const codes = (options: { readonly afterCode?: string; readonly limit: number }) =>
        Effect.map(store.list(tenantId, options), (found) => found.map(({ code }) => code))
      expect(yield* codes({ limit: 10 })).toEqual(["Z", "a", "a-1", "b", "\uffee", "👋"])
      expect(yield* codes({ limit: 2 })).toEqual(["Z", "a"])
      expect(yield* codes({ limit: 2, afterCode: "a" })).toEqual(["a-1", "b"])
      expect(yield* codes({ limit: 9, afterCode: "👋" })).toEqual([])
      expect(yield* store.list(freshTenant(), { limit: 9 })).toEqual([])
    })
  )

  it.effect("50 versions that are put at the same time are 1 to 50, each once and each with its own text", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const tenantId = freshTenant()
      const saved = yield* Effect.forEach(
        Array.range(1, 50),
        (number) => store.put(tenantId, "order", template(`title ${number}`), true, noon),
        { concurrency: "unbounded" }
      )
      expect(saved.map(({ version }) => version).toSorted((left, right) => left - right)).toEqual(Array.range(1, 50))
      for (const one of saved) {
        expect(yield* store.get(tenantId, "order", one.version)).toEqual(Option.some(one))
      }
      expect(yield* store.list(tenantId, { limit: 2 })).toMatchObject([{ activeVersion: 50, latestVersion: 50 }])
    })
  )

  it.effect(
    "a template that is removed while versions are put leaves nothing behind that stands in the way of new ones",
    () =>
      Effect.gen(function* () {
        const store = yield* TemplateStore
        const tenantId = freshTenant()
        yield* Effect.forEach(
          Array.range(1, 60),
          (number) =>
            number % 4 === 0
              ? Effect.asVoid(store.remove(tenantId, "order"))
              : Effect.asVoid(store.put(tenantId, "order", template(`title ${number}`), true, noon)),
          { concurrency: "unbounded", discard: true }
        )
        const [summary] = yield* store.list(tenantId, { limit: 1 })
        const versions = (yield* store.versions(tenantId, "order")).map(({ version }) => version)
        const latest = summary?.latestVersion ?? 0
        expect(versions).toEqual(latest === 0 ? [] : Array.range(1, latest).toReversed())
        yield* store.remove(tenantId, "order")
        expect(yield* store.versions(tenantId, "order")).toEqual([])
      })
  )

  it.effect("a version is put over, and a template removed, only while the expected one is active", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const tenantId = freshTenant()
      const text = (title: string) => ({ texts: { default: { title, message: "Message" } } })
      const over = (expected: number, activate = true) =>
        Effect.map(store.putOver(tenantId, "code", text(`over ${expected}`), activate, expected, noon), (saved) =>
          Option.getOrUndefined(Option.map(saved, ({ version }) => version))
        )
      expect(yield* over(1)).toBeUndefined()
      expect(yield* over(0)).toBe(1)
      expect(yield* over(0)).toBeUndefined()
      expect(yield* over(1, false)).toBe(2)
      expect(yield* over(2)).toBeUndefined()
      expect(yield* over(1)).toBe(3)
      expect(Option.getOrUndefined(yield* store.get(tenantId, "code"))).toMatchObject({
        version: 3,
        texts: { default: { title: "over 1" } }
      })
      expect(yield* store.versions(tenantId, "code")).toHaveLength(3)
      expect(yield* store.remove(tenantId, "code", 2)).toBe(false)
      expect(yield* store.remove(freshTenant(), "code", 3)).toBe(false)
      expect(yield* store.versions(tenantId, "code")).toHaveLength(3)
      expect(yield* store.remove(tenantId, "code", 3)).toBe(true)
      expect(yield* store.versions(tenantId, "code")).toHaveLength(0)
    })
  )

  it.effect("of many who put over the same version at the same time one succeeds", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const tenantId = freshTenant()
      const template = { texts: { default: { title: "Title", message: "Message" } } }
      for (const expected of [0, 1]) {
        const saved = yield* Effect.forEach(
          Array.range(1, 10),
          () => store.putOver(tenantId, "code", template, true, expected, noon),
          { concurrency: "unbounded" }
        )
        expect(saved.filter(Option.isSome)).toHaveLength(1)
      }
      expect(yield* store.versions(tenantId, "code")).toHaveLength(2)
    })
  )
}
