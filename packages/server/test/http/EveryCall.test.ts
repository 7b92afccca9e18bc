/**
 * What every call gets: a correlation id, headers for browsers, conditional answers.
 */
import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { IpNetwork } from "effect/net"
import { call, Handlers, layerOf, post } from "./ThingsServer.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const lines: Array<string> = []
const layerLines = Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])

const proxied = { trustedProxies: [IpNetwork.fromStringUnsafe("127.0.0.0/8")] }

const tenants = {
  strict: { allowedOrigins: ["https://app.example"] },
  empty: { allowedOrigins: [] }
}

layer(layerOf({ tenants }), { excludeTestServices: true })("every call", (it) => {
  it.effect("has its caller's correlation id, or one of its own, in the answer, in logs and for what follows", () =>
    Effect.gen(function* () {
      const { origins } = yield* Handlers
      const named = yield* post({ name: "named" }, undefined, { headers: { "x-correlation-id": "checkout-17" } })
      expect(named.headers["x-correlation-id"]).toBe("checkout-17")
      expect(origins.at(-1)).toMatchObject({ address: "127.0.0.1", correlationId: "checkout-17", traceparent: null })
      for (const bad of ["x".repeat(129), "with space", "x\u00fcy"]) {
        const answer = yield* post({ name: "unnamed" }, undefined, { headers: { "x-correlation-id": bad } })
        expect(answer.headers["x-correlation-id"]).toMatch(uuid)
      }
      const unnamed = yield* post({ name: "unnamed" })
      expect(unnamed.headers["x-correlation-id"]).toMatch(uuid)
      expect(origins.at(-1)?.correlationId).toBe(unnamed.headers["x-correlation-id"])
    })
  )

  it.effect("answers with an id also what no route answers, what is refused and what fails", () =>
    Effect.gen(function* () {
      for (const [path, status, options] of [
        ["/nowhere", 404, {}],
        ["/api/things/a", 401, { as: null }],
        ["/api/things", 500, { body: { name: "broken" } }],
        ["/api/things", 400, { body: { nonsense: 1 } }]
      ] as const) {
        const answer = yield* call(path, options)
        expect(answer.status).toBe(status)
        expect(answer.headers["x-correlation-id"]).toMatch(uuid)
        expect(answer.headers["x-content-type-options"]).toBe("nosniff")
        expect(answer.headers["content-type"]).toBe("application/problem+json")
      }
    })
  )

  it.effect("goes on in its caller's trace, when that is one", () =>
    Effect.gen(function* () {
      const { origins } = yield* Handlers
      const traced = (traceparent: string) => post({ name: "traced" }, undefined, { headers: { traceparent } })
      const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
      const told = (yield* traced(good)).headers["traceparent"]
      // A span of our own in the caller's trace: his is its parent.
      expect(told).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$/)
      expect(origins.at(-1)?.traceparent).toBe(told)
      expect((yield* traced(good)).headers["traceparent"]).not.toBe(told)
      const later = (yield* traced(`cc${good.slice(2, -2)}fd-more`)).headers["traceparent"]
      expect(later).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
      for (const bad of [
        "nonsense",
        `${good}-more`,
        `ff${good.slice(2)}`,
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        good.toUpperCase()
      ]) {
        expect((yield* traced(bad)).headers["traceparent"]).toBeUndefined()
        expect(origins.at(-1)?.traceparent).toBeNull()
      }
    })
  )

  it.effect("tells browsers not to guess, frame, keep or pass on", () =>
    Effect.gen(function* () {
      const { headers } = yield* post({ name: "secure" })
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cache-control": "no-store"
      })
      expect(headers["strict-transport-security"]).toBeUndefined()
      const page = (yield* call("/page", { as: null })).headers
      expect(page["content-security-policy"]).toContain("frame-ancestors 'none'")
      expect(page["content-security-policy"]).toContain("script-src 'self'")
      expect(page["cache-control"]).toBeUndefined()
    })
  )

  it.effect("reads once and then only when something has changed, and changes only what the caller has seen", () =>
    Effect.gen(function* () {
      const read = (headers = {}) => call("/api/things/a", { headers })
      const change = (ifMatch: string) => call("/api/things/a", { method: "PUT", headers: { "if-match": ifMatch } })
      const first = yield* read()
      expect(first.headers).toMatchObject({ etag: '"1"', "cache-control": "private, no-cache" })
      for (const tag of ['"1"', 'W/"1"', '"0", "1"', "*"]) {
        expect(yield* read({ "if-none-match": tag })).toMatchObject({ status: 304, text: "", headers: { etag: '"1"' } })
      }
      for (const tag of ['"2"', '"11"', "1"]) expect((yield* read({ "if-none-match": tag })).status).toBe(200)
      for (const stale of ['"0"', 'W/"1"', '"x"']) {
        const refused = yield* change(stale)
        expect(refused.status).toBe(412)
        expect(refused.text).toContain("urn:beckon:problem:precondition-failed")
        expect(refused.headers["etag"]).toBeUndefined()
      }
      for (const malformed of ["1", '"1" "2"', '"1']) expect((yield* change(malformed)).status).toBe(400)
      expect(yield* change('"1"')).toMatchObject({ status: 200, headers: { etag: '"2"' } })
      expect((yield* change('"1"')).status).toBe(412)
      expect((yield* change("*")).status).toBe(200)
    })
  )

  it.effect("from a page is for those whose tenant allows the page, and is refused before anything happens", () =>
    Effect.gen(function* () {
      const from = (origin: string, tenant: string) =>
        post({ name: `from ${origin}` }, undefined, { as: { tenant }, headers: { origin } })
      const allowed = yield* from("https://app.example", "strict")
      expect(allowed.status).toBe(201)
      expect(allowed.headers).toMatchObject({ "access-control-allow-origin": "https://app.example", vary: "origin" })
      expect(allowed.headers["access-control-expose-headers"]).toContain("ratelimit-remaining")
      expect(allowed.headers["access-control-allow-credentials"]).toBeUndefined()
      for (const [origin, tenant] of [
        ["https://evil.example", "strict"],
        ["https://app.example.evil.example", "strict"],
        ["null", "strict"],
        ["https://app.example", "empty"]
      ] as const) {
        const refused = yield* from(origin, tenant)
        expect(refused.status).toBe(403)
        expect(refused.text).toContain("origin: the tenant does not allow")
        expect(refused.headers["access-control-allow-origin"]).toBeUndefined()
      }
      const { asked } = yield* Handlers
      expect(asked.filter((name) => name.startsWith("from "))).toEqual(["from https://app.example"])
      expect((yield* from("https://any.example", "open")).status).toBe(201)
    })
  )

  it.effect("may be asked for by any page, of the API and of nothing else", () =>
    Effect.gen(function* () {
      const preflight = (path: string) =>
        call(path, {
          as: null,
          method: "OPTIONS",
          headers: {
            origin: "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type, idempotency-key"
          }
        })
      const asked = yield* preflight("/api/things")
      expect(asked.status).toBe(204)
      expect(asked.headers).toMatchObject({
        "access-control-allow-origin": "https://app.example",
        "access-control-allow-headers": "authorization, content-type, idempotency-key",
        "access-control-max-age": "600",
        vary: "origin, access-control-request-headers"
      })
      expect(asked.headers["access-control-allow-methods"]).toContain("POST")
      const dev = yield* preflight("/dev/token")
      expect(dev.status).toBe(404)
      const own = yield* call("/dev/token", { as: null, body: {}, headers: { origin: "https://evil.example" } })
      for (const { headers } of [dev, own]) expect(headers["access-control-allow-origin"]).toBeUndefined()
    })
  )

  it.effect("believes no proxy that is not trusted", () =>
    Effect.gen(function* () {
      const headers = { "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https" }
      const answer = yield* post({ name: "forwarded" }, undefined, { headers })
      expect((yield* Handlers).origins.at(-1)?.address).toBe("127.0.0.1")
      expect(answer.headers["strict-transport-security"]).toBeUndefined()
    })
  )
})

layer(layerOf({ settings: proxied }), { excludeTestServices: true })("behind a trusted proxy", (it) => {
  it.effect("the caller is whom the proxy names, and TLS is what it says", () =>
    Effect.gen(function* () {
      const headers = { "x-forwarded-for": "6.6.6.6, 203.0.113.7", "x-forwarded-proto": "http, https" }
      const answer = yield* post({ name: "forwarded" }, undefined, { headers })
      expect((yield* Handlers).origins.at(-1)?.address).toBe("203.0.113.7")
      expect(answer.headers["strict-transport-security"]).toContain("max-age=31536000")
    })
  )
})

layer(layerOf().pipe(Layer.provide(layerLines)), { excludeTestServices: true })("a log line of a call", (it) => {
  it.effect("names the call, its trace, the tenant and the user", () =>
    Effect.gen(function* () {
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
      yield* post({ name: "logged" }, undefined, { headers: { "x-correlation-id": "line-1", traceparent } })
      const [line] = lines.filter((one) => one.includes("making logged"))
      expect(line).toContain('"correlation_id":"line-1"')
      expect(line).toContain('"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"')
      expect(line).toContain('"tenant":"acme"')
      expect(line).toContain('"user":"ada"')
    })
  )
})
