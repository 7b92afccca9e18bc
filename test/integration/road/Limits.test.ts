/**
 * What is counted and what is refused, of a whole server: whatever way a call takes, and without locking anybody out.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { get } from "node:http"
import { socketPath } from "@beckon/domain/InboxRpcs"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { bareSocket, http, jwtSecret, Road, token } from "./Road.ts"

const layerLimited = Layer.effect(
  Road,
  BeckonProcess.start({
    env: {
      BECKON_JWT_SECRET: jwtSecret,
      // They fill so slowly that nothing comes back during a test.
      BECKON_RATE_LIMIT_KEY: "0.01/20",
      BECKON_RATE_LIMIT_FAILURES: "0.01/10"
    }
  })
)

const serviceOf = (sub: string) => token({ sub, roles: ["service"] })

const broadcast = (sub: string, requestId: string, users: number) =>
  http("/api/v1/notifications/broadcast", {
    token: serviceOf(sub),
    body: {
      notification_type: "t",
      title: "Title",
      message: "Message",
      request_id: requestId,
      audience: { user_ids: Array.from({ length: users }, (_, index) => `u${index}`) }
    }
  })

layer(layerLimited, { timeout: "150 seconds", excludeTestServices: true })("limits", (it) => {
  it.effect("a broadcast counts as a call for each user", () =>
    Effect.gen(function* () {
      const first = yield* broadcast("caster", "r1", 15)
      assert.strictEqual(first.status, 202)
      assert.strictEqual(first.headers.get("ratelimit-remaining"), "5")
      assert.strictEqual((yield* broadcast("caster", "r2", 15)).status, 429)
      assert.strictEqual((yield* broadcast("caster", "r3", 1)).status, 202)
    })
  )

  it.effect("so does what a service sends over a socket, from the same bucket", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const socket = yield* bareSocket(url, serviceOf("sender"))
      const send = (count: number) =>
        socket.rpc("SendNotifications", {
          notifications: Array.from({ length: count }, () => ({ userId: "ada", type: "t", title: "T", message: "M" }))
        })
      assert.strictEqual((yield* send(15))._tag, "Success")
      const refused = yield* send(15)
      assert.strictEqual(refused._tag, "Failure")
      assert.match(JSON.stringify(refused), /TooManyRequests.*rate limit of this service|rate limit of this service/)
      assert.strictEqual((yield* broadcast("sender", "r4", 15)).status, 429)
      assert.strictEqual((yield* send(3))._tag, "Success")
      socket.end()
    })
  )

  it.effect("a token without the time of its issue is refused", () =>
    Effect.gen(function* () {
      const refused = yield* http("/api/v1/users/me/unread-count", { token: token({ sub: "old", iat: null }) })
      assert.deepStrictEqual([refused.status, refused.body.detail], [401, "token: the claim iat is not acceptable"])
    })
  )

  it.effect("refused credentials of an address are limited on every way in, and good ones pass", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const guess = (path: string) => http(path, { token: "x.y.z" })
      const upgrade = {
        upgrade: "websocket",
        connection: "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
      }
      let last = 0
      for (let count = 0; count < 12; count++) last = (yield* guess("/api/v1/users/me/unread-count")).status
      assert.strictEqual(last, 429)
      assert.strictEqual((yield* guess("/metrics")).status, 429)
      const callback = `/api/v1/callbacks/sendgrid/acme/01a00000-0000-7000-8000-000000000000`
      assert.strictEqual((yield* http(callback, { body: [] })).status, 429)
      assert.strictEqual(yield* upgradeStatus(url, "x.y.z", upgrade), 429)
      const good = token({ sub: "good" })
      assert.strictEqual((yield* http("/api/v1/users/me/unread-count", { token: good })).status, 200)
      assert.strictEqual(yield* upgradeStatus(url, good, upgrade), 101)
    })
  )

  it.effect("what callers do to batches, users and notifications is in the audit log", () =>
    Effect.gen(function* () {
      const as = { token: serviceOf("auditor") }
      const made = yield* http("/api/v1/users", { ...as, body: { user_id: "amy", name: "Amy Private" } })
      assert.strictEqual(made.status, 201)
      yield* http("/api/v1/users/amy", { ...as, method: "PATCH", body: { name: "Amy Other" } })
      const in1h = new Date(Date.now() + 3_600_000).toISOString()
      const batch = yield* http("/api/v1/services/notifications/send-batch", {
        ...as,
        body: {
          content: { notification_type: "t", title: "T", message: "M" },
          send_at: in1h,
          recipients: [{ user_id: "amy" }]
        }
      })
      assert.strictEqual(batch.status, 202, JSON.stringify(batch.body))
      const id = batch.body.data.batch_id
      for (const what of ["pause", "resume", "cancel"]) {
        assert.strictEqual(
          (yield* http(`/api/v1/services/batches/${id}/${what}`, { ...as, method: "POST" })).status,
          200,
          what
        )
      }
      const log = yield* http("/api/v1/admin/audit?limit=100", { token: token({ sub: "boss", roles: ["admin"] }) })
      const actions = log.body.data.map(({ action }: { readonly action: string }) => action).toReversed()
      assert.deepStrictEqual(actions, [
        "user.create",
        "user.update",
        "batch.create",
        "batch.pause",
        "batch.resume",
        "batch.cancel"
      ])
      assert.notInclude(JSON.stringify(log.body), "Private")
    })
  )
})

/** What an upgrade is answered with. */
const upgradeStatus = (url: string, bearer: string, headers: Record<string, string>) =>
  Effect.callback<number>((resume) => {
    const request = get(url + socketPath, { headers: { ...headers, authorization: `Bearer ${bearer}` } })
    request.on("response", (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode ?? 0))
    })
    request.on("upgrade", (response, socket) => {
      socket.destroy()
      resume(Effect.succeed(response.statusCode ?? 0))
    })
    request.on("error", (cause) => resume(Effect.die(cause)))
  })
