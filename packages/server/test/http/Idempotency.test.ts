import { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import { describe, expect, it, layer } from "@effect/vitest"
import { Array, Deferred, Effect, Fiber, Layer, Schedule } from "effect"
import * as IdempotencyKey from "../../src/http/IdempotencyKey.ts"
import { call, Handlers, hold, layerOf, post, ThingsServer } from "./ThingsServer.ts"
import type { Answer } from "./ThingsServer.ts"

const timesOf = (name: string) => Effect.map(Handlers, ({ asked }) => asked.filter((one) => one === name).length)

const isReplay = ({ headers }: Answer) => headers["idempotency-replayed"] === "true"

describe("IdempotencyKey", () => {
  it("is in quotes or without, and the same either way", () => {
    expect(IdempotencyKey.parse('"8e03978e-40d5"')).toBe("8e03978e-40d5")
    expect(IdempotencyKey.parse("8e03978e-40d5")).toBe("8e03978e-40d5")
    expect(IdempotencyKey.parse('"with \\"quotes\\" and \\\\"')).toBe('with "quotes" and \\')
    expect(IdempotencyKey.parse("x".repeat(255))).toHaveLength(255)
  })

  it("is nothing else", () => {
    for (const header of ["", '""', '"open', 'a"b', '"a"b', '"a\\b"', "x".repeat(256), "ü", "a b", "a\u0001"]) {
      expect({ header, key: IdempotencyKey.parse(header) }).toEqual({ header, key: undefined })
    }
  })
})

layer(layerOf(), { excludeTestServices: true })("a POST with an Idempotency-Key", (it) => {
  it.effect("is carried out once, and its answer is told again to the same caller", () =>
    Effect.gen(function* () {
      const first = yield* post({ name: "one" }, "key-1")
      expect(first).toMatchObject({ status: 201, text: '{"name":"one","made":1}' })
      expect(isReplay(first)).toBe(false)
      const again = yield* post({ name: "one" }, '"key-1"')
      expect(again).toMatchObject({ status: 201, text: first.text })
      expect(again.headers["content-type"]).toBe(first.headers["content-type"])
      expect(isReplay(again)).toBe(true)
      expect(again.headers["x-correlation-id"]).not.toBe(first.headers["x-correlation-id"])
      expect(yield* timesOf("one")).toBe(1)
      for (const as of [{ user: "eve" }, { tenant: "other" }]) {
        expect(isReplay(yield* post({ name: "one" }, "key-1", { as }))).toBe(false)
      }
      expect(yield* timesOf("one")).toBe(3)
    })
  )

  it.effect("is refused when the key was used for another body, query or path", () =>
    Effect.gen(function* () {
      yield* post({ name: "two" }, "key-2")
      const body = { name: "two" }
      const headers = { "idempotency-key": "key-2" }
      for (const other of [
        yield* post({ name: "other" }, "key-2"),
        yield* call("/api/things?x=1", { body, headers }),
        yield* call("/api/things/rows", { body: [], headers })
      ]) {
        expect(other.status).toBe(422)
        expect(other.text).toContain("was used for another call")
      }
      expect(yield* timesOf("two")).toBe(1)
      expect(yield* timesOf("other")).toBe(0)
    })
  )

  it.effect("gets 409 with Retry-After while the same call is under way, and then its answer", () =>
    Effect.gen(function* () {
      const latch = yield* hold("slow")
      const first = yield* Effect.forkChild(post({ name: "slow" }, "key-3"))
      yield* Deferred.await(latch.started)
      const meanwhile = yield* post({ name: "slow" }, "key-3")
      expect(meanwhile.status).toBe(409)
      expect(meanwhile.headers["retry-after"]).toBe("1")
      yield* Deferred.succeed(latch.go, undefined)
      expect(yield* Fiber.join(first)).toMatchObject({ status: 201 })
      expect(isReplay(yield* post({ name: "slow" }, "key-3"))).toBe(true)
      expect(yield* timesOf("slow")).toBe(1)
    })
  )

  it.effect("is carried out once of 50 at the same time", () =>
    Effect.gen(function* () {
      const latch = yield* hold("many")
      const all = yield* Effect.forkChild(
        Effect.forEach(Array.range(1, 50), () => post({ name: "many" }, "key-4"), { concurrency: "unbounded" })
      )
      yield* Deferred.await(latch.started)
      yield* Deferred.succeed(latch.go, undefined)
      const answers = yield* Fiber.join(all)
      expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
      expect(answers.filter((one) => one.status === 201 && !isReplay(one))).toHaveLength(1)
      expect(yield* timesOf("many")).toBe(1)
    })
  )

  it.effect("is finished although its client has gone, who gets the answer with the next try", () =>
    Effect.gen(function* () {
      const latch = yield* hold("gone")
      const first = yield* Effect.forkChild(post({ name: "gone" }, "key-5"))
      yield* Deferred.await(latch.started)
      yield* Fiber.interrupt(first)
      const { connections } = yield* UwsServer
      const open = Effect.sync(() => connections.requests.size)
      yield* Effect.repeat(open, { until: (count) => count === 0, schedule: Schedule.spaced("1 millis") })
      yield* Deferred.succeed(latch.go, undefined)
      const answer = yield* Effect.repeat(post({ name: "gone" }, "key-5"), {
        until: ({ status }) => status !== 409,
        schedule: Schedule.spaced("5 millis")
      })
      expect(answer).toMatchObject({ status: 201, text: '{"name":"gone","made":1}' })
      expect(isReplay(answer)).toBe(true)
    })
  )

  it.effect("tells errors of the caller again, and tries anew after errors of the server", () =>
    Effect.gen(function* () {
      for (const name of ["taken", "flaky", "broken"]) yield* post({ name }, `key-${name}`)
      const taken = yield* post({ name: "taken" }, "key-taken")
      expect(taken).toMatchObject({ status: 409 })
      expect(taken.text).toContain("name: taken")
      expect(isReplay(taken)).toBe(true)
      for (const name of ["flaky", "broken"]) {
        const again = yield* post({ name }, `key-${name}`)
        expect(again).toMatchObject({ status: 201, text: `{"name":"${name}","made":2}` })
        expect(isReplay(again)).toBe(false)
      }
      const malformed = { nonsense: true }
      expect((yield* post(malformed, "key-bad")).status).toBe(400)
      const bad = yield* post(malformed, "key-bad")
      expect(bad.status).toBe(400)
      expect(isReplay(bad)).toBe(true)
    })
  )

  it.effect("is not carried out again when its answer was too large to be kept", () =>
    Effect.gen(function* () {
      expect((yield* post({ name: "large" }, "key-large")).text.length).toBeGreaterThan(300_000)
      const again = yield* post({ name: "large" }, "key-large")
      expect(again.status).toBe(409)
      expect(again.text).toContain("too large to be kept")
      expect(yield* timesOf("large")).toBe(1)
    })
  )

  it.effect("knows a body of any type by its bytes, up to 1 MiB", () =>
    Effect.gen(function* () {
      const send = (body: string) =>
        call("/api/things", { raw: { body, type: "text/plain" }, headers: { "idempotency-key": "key-text" } })
      const first = yield* send("a,b")
      const again = yield* send("a,b")
      expect([again.status, isReplay(again)]).toEqual([first.status, true])
      expect((yield* send("a,c")).status).toBe(422)
      const large = yield* post({ name: "x".repeat(1_100_000) }, "key-too-large")
      expect(large.status).toBe(413)
      expect(large.text).toContain("body: at most 1048576 bytes")
    })
  )

  it.effect("leaves a body alone that is read as it comes, but for its type", () =>
    Effect.gen(function* () {
      const upload = (type: string, key = "key-csv") =>
        call("/api/things/upload", {
          raw: { body: "x".repeat(200_000), type },
          headers: { "idempotency-key": key }
        })
      const csv = yield* upload("text/csv; charset=utf-8")
      expect(csv).toMatchObject({ status: 200, text: '{"bytes":200000}' })
      expect(isReplay(yield* upload("text/csv"))).toBe(false)
      expect(yield* timesOf("upload")).toBe(2)
      for (const type of ["application/json", "text/plain", ""]) {
        const refused = yield* upload(type)
        expect(refused.status).toBe(415)
        expect(refused.text).toContain("content-type: text/csv")
      }
      expect((yield* upload("text/csv", '""')).status).toBe(400)
      expect(yield* timesOf("upload")).toBe(2)
    })
  )

  it.effect("is told what is wrong with the key, and nothing happens", () =>
    Effect.gen(function* () {
      for (const key of ["", '""', "x".repeat(256)]) {
        const answer = yield* post({ name: "bad key" }, key)
        expect(answer.status).toBe(400)
        expect(answer.text).toContain("idempotency-key: a text of 1 to 255")
        expect(answer.headers["content-type"]).toBe("application/problem+json")
      }
      expect(yield* timesOf("bad key")).toBe(0)
    })
  )

  it.effect("needs a caller, and without a key nothing is kept", () =>
    Effect.gen(function* () {
      expect((yield* post({ name: "nobody" }, "key-6", { as: null })).status).toBe(401)
      expect((yield* post({ name: "nobody" }, "key-6")).status).toBe(201)
      yield* post({ name: "plain" })
      expect(yield* post({ name: "plain" })).toMatchObject({ text: '{"name":"plain","made":2}' })
    })
  )
})

const unavailable = () => Effect.fail(new StoreUnavailable({ operation: "test", cause: "away" }))

const layerAway = Layer.succeed(IdempotencyStore, {
  claim: unavailable,
  extend: unavailable,
  answer: unavailable,
  release: unavailable,
  removeExpired: unavailable
})

layer(layerOf({ idempotency: layerAway }), { excludeTestServices: true })("while the database is away", (it) => {
  it.effect("a call with a key is not carried out, and one without is", () =>
    Effect.gen(function* () {
      const answer = yield* post({ name: "away" }, "key")
      expect(answer.status).toBe(503)
      expect(answer.text).toContain("idempotency-key: cannot be looked up")
      expect(yield* timesOf("away")).toBe(0)
      expect((yield* post({ name: "away" })).status).toBe(201)
      expect((yield* ThingsServer).url).toContain("http://")
    })
  )
})
