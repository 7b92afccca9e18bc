import { TokenBuckets, TokenBucketsUnavailable } from "@beckon/domain/ports/TokenBuckets"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { defaults } from "../../src/http/HttpSettings.ts"
import { call, Handlers, layerOf, post } from "./ThingsServer.ts"

/** Fills so slowly that nothing comes back during a test. */
const still = (burst: number) => ({ perSecond: 0.01, burst })

const none = { tenant: undefined, key: undefined, user: undefined, failures: undefined }

const tenants = {
  small: { rateLimits: { tenant: still(6), user: still(4), key: still(5) } },
  rows: { rateLimits: { tenant: still(100), user: still(50) } }
}

layer(layerOf({ tenants }), { excludeTestServices: true })("rate limits", (it) => {
  it.effect("tell every caller what is left, and refuse what is above with the time to wait", () =>
    Effect.gen(function* () {
      const as = { tenant: "small", user: "ada" }
      for (let left = 3; left >= 0; left--) {
        const { headers, status } = yield* post({ name: "limited" }, undefined, { as })
        expect(status).toBe(201)
        expect(headers).toMatchObject({
          "ratelimit-limit": "4",
          "ratelimit-remaining": String(left),
          "ratelimit-policy": "4;w=400"
        })
        expect(headers["retry-after"]).toBeUndefined()
      }
      const refused = yield* post({ name: "limited" }, undefined, { as })
      expect(refused.status).toBe(429)
      expect(refused.text).toContain("rate limit of this user: 0.01 a second, 4 at once")
      expect(refused.headers["ratelimit-remaining"]).toBe("0")
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(90)
      expect(refused.headers["retry-after"]).toMatch(/^(?:9\d|100)$/)
      const { asked } = yield* Handlers
      expect(asked.filter((name) => name === "limited")).toHaveLength(4)
      // What was refused took nothing of the tenant's: two of six are left for the others.
      const others = { tenant: "small", user: "eve" }
      for (const status of [201, 201, 429]) {
        expect((yield* post({ name: "other" }, undefined, { as: others })).status).toBe(status)
      }
      const service = yield* post({ name: "service" }, undefined, {
        as: { tenant: "small", user: "shop", roles: ["service"] }
      })
      expect(service.text).toContain("rate limit of the tenant")
      expect((yield* post({ name: "elsewhere" })).status).toBe(201)
    })
  )

  it.effect("count the rows of a call", () =>
    Effect.gen(function* () {
      const rows = (count: number) =>
        call("/api/things/rows", { body: Array.from({ length: count }, String), as: { tenant: "rows" } })
      expect((yield* rows(10)).headers["ratelimit-remaining"]).toBe("40")
      expect((yield* rows(1)).headers["ratelimit-remaining"]).toBe("39")
      const refused = yield* rows(45)
      expect(refused.status).toBe(429)
      expect(refused.headers["retry-after"]).toBeDefined()
      expect((yield* rows(38)).headers["ratelimit-remaining"]).toBe("0")
    })
  )
})

const failing = { limits: { ...none, failures: still(3) } }

layer(layerOf({ settings: failing }), { excludeTestServices: true })("an address", (it) => {
  it.effect("that showed too many refused credentials is told so, and a good one of it passes all the same", () =>
    Effect.gen(function* () {
      const guess = call("/api/things/a", { as: null, headers: { authorization: "Bearer guessed" } })
      const ok = yield* call("/api/things/a")
      expect(ok.status).toBe(200)
      expect(ok.headers["ratelimit-limit"]).toBeUndefined()
      for (const status of [401, 401, 401, 429, 429]) expect((yield* guess).status).toBe(status)
      const wrong = yield* guess
      expect(wrong.headers["retry-after"]).toMatch(/^(?:9\d|100)$/)
      expect(wrong.text).toContain("too many refused credentials")
      expect((yield* call("/api/things/a")).status).toBe(200)
      expect((yield* guess).status).toBe(429)
    })
  )
})

const layerAway = Layer.succeed(TokenBuckets, {
  take: () => Effect.fail(new TokenBucketsUnavailable({ cause: "away" }))
})

layer(layerOf({ buckets: layerAway, settings: { limits: { ...defaults.limits, user: still(1) } } }), {
  excludeTestServices: true
})("while the buckets are away", (it) => {
  it.effect("every call passes", () =>
    Effect.gen(function* () {
      for (let count = 0; count < 3; count++) {
        const { headers, status } = yield* post({ name: "away" })
        expect(status).toBe(201)
        expect(headers["ratelimit-limit"]).toBeUndefined()
      }
    })
  )
})
