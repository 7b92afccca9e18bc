import { assert, layer } from "@effect/vitest"
import { Context, Data, Duration, Effect, Layer, Queue, Schedule } from "effect"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { bareSocket, call, jwtSecret, service, token } from "../road/Road.ts"
import type { Answer, BareSocket } from "../road/Road.ts"

const ackTimeout = Duration.seconds(1)
/** Acknowledgements are saved once a second, and the planner looks again within one. */
const slack = Duration.seconds(3)

class Server extends Context.Service<Server, BeckonProcess.BeckonProcess>()("@beckon/test/Server") {
  static readonly layer = Layer.effect(
    Server,
    BeckonProcess.start({ env: { BECKON_JWT_SECRET: jwtSecret, BECKON_ACK_TIMEOUT: "1 second" } })
  )
}

class NotYet extends Data.TaggedError("NotYet") {}

const api = (path: string, body?: unknown, as = service) =>
  Effect.flatMap(Server, ({ url }) => call(url, path, { token: as, ...(body === undefined ? {} : { body }) }))

let users = 0

/** A user with a phone. */
const phoneOwner = Effect.gen(function* () {
  const user = `user-${++users}`
  const body = { platform: "ios", token: `token of ${user}` }
  const { status } = yield* api("/api/v1/users/me/devices", body, token({ sub: user }))
  assert.isBelow(status, 300)
  return user
})

const notify = (user: string, other: Record<string, unknown> = {}) =>
  Effect.map(
    api("/api/v1/notifications", {
      notification_type: "order_created",
      user_id: user,
      title: `For ${user}`,
      message: "Accept now!",
      ...other
    }),
    ({ body, status }) => {
      assert.strictEqual(status, 202)
      return String(body.data.id)
    }
  )

const statusOf = (id: string) => Effect.map(api(`/api/v1/notifications/${id}`), ({ body }) => body.data)

/** What the phone of this user was shown. */
const pushes = (user: string) =>
  Effect.map(
    Server,
    ({ stderr, stdout }) => [...stdout, ...stderr].filter((line) => line.includes(`push: For ${user} `)).length
  )

const until = (id: string, holds: (status: Answer["body"]) => boolean) =>
  statusOf(id).pipe(
    Effect.flatMap((status) => (holds(status) ? Effect.succeed(status) : Effect.fail(new NotYet()))),
    Effect.retry({ while: (error) => error._tag === "NotYet", schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("15 seconds")
  )

const pushed = (id: string) => until(id, (status) => status.channels.push?.state === "sent")

/** Nothing more comes: every plan and every delivery of this notification had its time. */
const settled = Effect.sleep(Duration.sum(ackTimeout, slack))

/** Subscribes, and acknowledges everything that comes or nothing at all. */
const listen = Effect.fnUntraced(function* (user: string, acknowledges: boolean) {
  const { url } = yield* Server
  const socket: BareSocket = yield* bareSocket(url, token({ sub: user }))
  socket.send({ _tag: "Request", id: "1", tag: "Subscribe", payload: {}, headers: [] })
  const begun = yield* Queue.unbounded<void>()
  const got = yield* Queue.unbounded<string>()
  let epoch = ""
  const take = (message: Answer["body"]) => {
    for (const frame of message.values ?? []) {
      if (frame._tag === "Subscribed") epoch = frame.head.epoch
      if (frame._tag === "CaughtUp") Queue.offerUnsafe(begun, undefined)
      if (frame._tag !== "Notification") continue
      const { id, seq } = frame.notification
      Queue.offerUnsafe(got, id)
      const payload = { position: { epoch, seq } }
      if (acknowledges) socket.send({ _tag: "Request", id: `a${seq}`, tag: "Acknowledge", payload, headers: [] })
    }
  }
  yield* Effect.forkScoped(Effect.forever(Effect.map(Queue.take(socket.messages), take)))
  yield* Queue.take(begun)
  return { got, socket }
})

layer(Server.layer, { timeout: "60 seconds", excludeTestServices: true })("push as a fallback", (it) => {
  it.effect("a user who is not there gets one push, at once", () =>
    Effect.gen(function* () {
      const user = yield* phoneOwner
      const status = yield* pushed(yield* notify(user))
      assert.strictEqual(status.channels.push.attempts, 1)
      yield* settled
      assert.strictEqual(yield* pushes(user), 1)
    })
  )

  it.effect("a user whose device acknowledges gets none", () =>
    Effect.gen(function* () {
      const user = yield* phoneOwner
      const { got } = yield* listen(user, true)
      const id = yield* notify(user)
      assert.strictEqual(yield* Queue.take(got), id)
      yield* settled
      const status = yield* statusOf(id)
      assert.deepStrictEqual(Object.keys(status.channels), ["in_app"])
      assert.strictEqual(status.channels.in_app.state, "delivered")
      assert.strictEqual(yield* pushes(user), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("a user whose device never acknowledges gets one push, after the time to acknowledge", () =>
    Effect.gen(function* () {
      const user = yield* phoneOwner
      const { got } = yield* listen(user, false)
      const id = yield* notify(user)
      assert.strictEqual(yield* Queue.take(got), id)
      yield* Effect.sleep(Duration.times(ackTimeout, 0.9))
      assert.strictEqual(yield* pushes(user), 0)
      yield* pushed(id)
      yield* settled
      assert.strictEqual(yield* pushes(user), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("a user whose device goes away without a word gets one push", () =>
    Effect.gen(function* () {
      const user = yield* phoneOwner
      const { got, socket } = yield* listen(user, false)
      const id = yield* notify(user)
      yield* Queue.take(got)
      socket.end()
      yield* pushed(id)
      yield* settled
      assert.strictEqual(yield* pushes(user), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("the sender's policy stands above presence: always and never", () =>
    Effect.gen(function* () {
      const user = yield* phoneOwner
      const { got } = yield* listen(user, true)
      const always = yield* notify(user, { push: "always" })
      yield* Queue.take(got)
      yield* pushed(always)
      assert.strictEqual(yield* pushes(user), 1)
      const silent = yield* phoneOwner
      const never = yield* notify(silent, { push: "never" })
      yield* settled
      assert.deepStrictEqual(Object.keys((yield* statusOf(never)).channels), ["in_app"])
      assert.strictEqual(yield* pushes(silent), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("a muted type is kept in the inbox, goes nowhere else, and its fate is told", () =>
    Effect.gen(function* () {
      const user = yield* phoneOwner
      const { url } = yield* Server
      const set = yield* call(url, "/api/v1/users/me/preferences", {
        token: token({ sub: user }),
        method: "PUT",
        body: { channels: {}, muted_types: ["order_created"] }
      })
      assert.isBelow(set.status, 300)
      const status = yield* until(yield* notify(user), ({ channels }) => channels.push !== undefined)
      assert.deepInclude(status.channels.push, { state: "skipped", reason: "muted", attempts: 0 })
      assert.strictEqual(status.channels.in_app.state, "sent")
      assert.strictEqual(yield* pushes(user), 0)
    })
  )

  it.effect("a cancelled schedule never comes, another one comes at its time, once", () =>
    Effect.gen(function* () {
      const user = yield* phoneOwner
      const send_at = new Date(Date.now() + 1_500).toISOString()
      const kept = yield* notify(user, { send_at })
      const gone = yield* notify(user, { send_at, cancel_key: `trip-${user}` })
      assert.strictEqual((yield* statusOf(kept)).status, "scheduled")
      const cancelled = yield* api("/api/v1/notifications/cancel", { cancel_key: `trip-${user}` })
      assert.deepStrictEqual(cancelled.body.data, { scheduled: 1, deliveries: 0 })
      const status = yield* pushed(kept)
      assert.isAtLeast(Date.parse(status.created_at), Date.parse(send_at))
      yield* settled
      assert.strictEqual((yield* api(`/api/v1/notifications/${gone}`)).status, 404)
      assert.strictEqual(yield* pushes(user), 1)
    })
  )
})
