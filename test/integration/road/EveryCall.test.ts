/**
 * What every call gets, of a whole server.
 */
import { assert, layer } from "@effect/vitest"
import { Array, Effect, Layer, Queue, Schedule } from "effect"
import { socketPath } from "@beckon/domain/InboxRpcs"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { http, jwtSecret, Road, send, service, socketOf, token } from "./Road.ts"

const path = "/api/v1/services/notifications/send"
const body = (user: string) => ({ user_id: user, type: "t", title: "Title", message: "Message" })

const inboxOf = (user: string) =>
  Effect.map(http("/api/v1/users/me/notifications", { token: token({ sub: user }) }), (answer) => answer.body.data)

layer(Road.layer, { timeout: "60 seconds", excludeTestServices: true })("every call", (it) => {
  it.effect("under one Idempotency-Key is carried out once of 50 at the same time", () =>
    Effect.gen(function* () {
      const call = http(path, { token: service, body: body("ida"), headers: { "idempotency-key": '"order-17"' } })
      const answers = yield* Effect.forEach(Array.range(1, 50), () => call, { concurrency: "unbounded" })
      const statuses = new Set(answers.map(({ status }) => status))
      statuses.delete(202)
      statuses.delete(409)
      assert.deepStrictEqual([...statuses], [])
      const first = answers.filter((one) => one.status === 202 && !one.headers.has("idempotency-replayed"))
      assert.strictEqual(first.length, 1)
      const again = yield* Effect.repeat(call, { until: ({ status }) => status !== 409, schedule: Schedule.forever })
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      assert.deepStrictEqual(again.body, first[0]?.body)
      const other = { ...body("ida"), title: "Another" }
      const misused = yield* http(path, { token: service, body: other, headers: { "idempotency-key": "order-17" } })
      assert.strictEqual(misused.status, 422)
      assert.strictEqual((yield* inboxOf("ida")).length, 1)
      yield* send("ida")
      yield* send("ida")
      assert.strictEqual((yield* inboxOf("ida")).length, 3)
    })
  )

  it.effect("has its id, its limits and its headers for browsers", () =>
    Effect.gen(function* () {
      const headers = { "x-correlation-id": "checkout-17", origin: "https://app.example" }
      const answer = yield* http(path, { token: service, body: body("cora"), headers })
      const got = Object.fromEntries(answer.headers)
      assert.deepInclude(got, {
        "x-correlation-id": "checkout-17",
        "access-control-allow-origin": "https://app.example",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "ratelimit-limit": "10000",
        "ratelimit-policy": "10000;w=2"
      })
      assert.isAtMost(Number(got["ratelimit-remaining"]), 9_999)
      for (const page of ["/", "/docs", "/health/live", "/nowhere"]) {
        const shown = yield* http(page)
        assert.match(shown.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/, page)
        assert.strictEqual(shown.headers.get("x-content-type-options"), "nosniff")
        assert.match(shown.headers.get("x-correlation-id") ?? "", /^[0-9a-f-]{36}$/)
        assert.isFalse(shown.headers.has("access-control-allow-origin"))
      }
    })
  )

  it.effect("that reads preferences is spared what it has", () =>
    Effect.gen(function* () {
      const ada = token({ sub: "ada" })
      const first = yield* http("/api/v1/users/me/preferences", { token: ada })
      const etag = first.headers.get("etag") ?? ""
      assert.match(etag, /^"[\w-]{22}"$/)
      const headers = { "if-none-match": etag }
      const again = yield* http("/api/v1/users/me/preferences", { token: ada, headers })
      assert.deepStrictEqual([again.status, again.body], [304, ""])
      const stale = { method: "PUT", token: ada, body: first.body.data, headers: { "if-match": '"x"' } }
      assert.strictEqual((yield* http("/api/v1/users/me/preferences", stale)).status, 412)
    })
  )
})

const narrow = {
  BECKON_JWT_SECRET: jwtSecret,
  BECKON_RATE_LIMIT_USER: "0.01/3",
  BECKON_RATE_LIMIT_KEY: "off",
  BECKON_RATE_LIMIT_TENANT: "off",
  BECKON_SOCKET_CONNECTS_USER: "0.01/2",
  BECKON_SOCKET_BYTES: "10/10000"
}

layer(Layer.effect(Road, BeckonProcess.start({ env: narrow })), { timeout: "60 seconds", excludeTestServices: true })(
  "a server with narrow limits",
  (it) => {
    it.effect("refuses calls, sockets and bytes above them, and says when to come again", () =>
      Effect.gen(function* () {
        const ada = token({ sub: "ada" })
        const read = http("/api/v1/users/me/unread-count", { token: ada })
        for (const left of ["2", "1", "0"]) {
          assert.strictEqual((yield* read).headers.get("ratelimit-remaining"), left)
        }
        const refused = yield* read
        assert.deepStrictEqual([refused.status, refused.headers.get("retry-after")], [429, "100"])
        const free = yield* http("/api/v1/services/notifications/send", { token: service, body: body("ada") })
        assert.deepStrictEqual([free.status, free.headers.has("ratelimit-limit")], [202, false])

        const socket = yield* socketOf({ sub: "bob" })
        const ping = `{"_tag":"Ping"}${" ".repeat(6_000)}`
        socket.sendRaw(ping)
        assert.deepStrictEqual(yield* Queue.take(socket.messages), { _tag: "Pong" })
        socket.sendRaw(ping)
        const { code, reason } = yield* socket.closed
        assert.strictEqual(code, 4005)
        assert.match(reason, /at most 10 bytes a second, 10000 at once$/)
        yield* socketOf({ sub: "bob" })
        const upgrade = yield* http(socketPath, { token: token({ sub: "bob" }) })
        assert.strictEqual(upgrade.status, 429)
      })
    )
  }
)
