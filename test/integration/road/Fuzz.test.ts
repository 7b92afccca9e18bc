import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Queue, Result, Stream } from "effect"
import { Agent, request } from "node:http"
import { InboxClient } from "@beckon/client/InboxClient"
import { parse } from "@beckon/server/gateway/ClientMessage"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { call, jwtSecret, randomOf, rssOf, seed, service, token } from "./Road.ts"
import { clientFrame, rawSocket } from "./RawSocket.ts"

const framesWanted = 80_000
const bodiesWanted = 21_000

const position = { epoch: "0123456789abc", seq: 3, rev: 1 }
const notification = {
  userId: "mallory",
  type: "t",
  title: "x",
  message: "y",
  priority: "high",
  data: { a: [1, { b: null }] },
  dedupeKey: "k"
}
const calls: ReadonlyArray<readonly [string, unknown]> = [
  ["Subscribe", { position }],
  ["Acknowledge", { position }],
  ["MarkRead", { ids: ["a", "b"] }],
  ["MarkRead", { all: true }],
  ["Delete", { ids: ["a"] }],
  ["List", { cursor: "czoz", limit: 10, status: "unread", types: ["t"] }],
  ["RegisterDevice", { platform: "ios", token: "t" }],
  ["SetPreferences", { channels: { push: false }, mutedTypes: ["t"] }],
  ["RefreshToken", { token: "a.b.c" }],
  ["SendNotifications", { notifications: [notification] }]
]
const bodies: ReadonlyArray<readonly [string, unknown]> = [
  ["/api/v1/services/notifications/send", { user_id: "mallory", type: "t", title: "x", message: "y", data: { a: 1 } }],
  [
    "/api/v1/events",
    { eventId: 1, eventType: "order_delivered", orderId: 1, customerId: 2, timestamp: "2026-01-31T10:00:00" }
  ],
  [
    "/api/v1/events",
    { specversion: "1.0", id: "1", source: "/", type: "order_delivered", data: { orderId: 1, customerId: 2 } }
  ],
  ["/api/v1/users/me/notifications/read", { ids: ["a"] }],
  ["/api/friendships/send-request", { requesterId: 1, recipientId: 2 }],
  ["/dev/token", { sub: "mallory", roles: ["user"] }]
]

/** Everything that this run's chance decides. */
const fuzzer = (random: () => number) => {
  const below = (limit: number) => Math.floor(random() * limit)
  const pick = <A>(items: ReadonlyArray<A>, otherwise: A): A => items[below(items.length)] ?? otherwise
  const odd: ReadonlyArray<unknown> = [
    null,
    true,
    -1,
    0,
    1e308,
    2 ** 53,
    0.1,
    "",
    "\u0000",
    "\ud800",
    "x".repeat(300),
    "__proto__",
    [],
    {},
    [[[]]],
    { length: 1e9 },
    { toJSON: 1, constructor: null },
    "2026-99-99",
    "1e999",
    ["a", 1, null]
  ]
  const json = (depth: number): unknown => {
    if (depth === 0 || random() < 0.4) return pick(odd, null)
    if (random() < 0.5) return Array.from({ length: below(4) }, () => json(depth - 1))
    return Object.fromEntries(Array.from({ length: below(4) }, () => [String(pick(odd, "k")), json(depth - 1)]))
  }
  /** Changes values, names and structure somewhere in a valid value. */
  const mutate = (value: unknown): unknown => {
    if (random() < 0.15) return pick(odd, null)
    if (Array.isArray(value)) {
      const items = value.map((item: unknown) => (random() < 0.5 ? mutate(item) : item))
      return random() < 0.1 ? [...items, ...items, json(2)] : items
    }
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).flatMap(
        ([name, item]: [string, unknown]): ReadonlyArray<readonly [string, unknown]> => {
          const chance = random()
          if (chance < 0.08) return []
          if (chance < 0.12) return [[String(pick(odd, name)), item]]
          return [[name, chance < 0.6 ? mutate(item) : item]]
        }
      )
      return Object.fromEntries(entries)
    }
    return random() < 0.3 ? json(2) : value
  }
  /** Cuts, doubles and replaces characters of a text. */
  const scratch = (text: string): string => {
    const at = below(text.length + 1)
    const chance = random()
    if (chance < 0.3) return text.slice(0, at)
    if (chance < 0.5) return text.slice(0, at) + text.slice(below(text.length + 1))
    return text.slice(0, at) + String.fromCharCode(below(0x3000)) + text.slice(at + 1)
  }
  const bytes = (limit: number) => Buffer.from(Array.from({ length: below(limit) }, () => below(256)))
  const frame = (): string | Buffer => {
    const chance = random()
    const [tag, payload] = pick(calls, ["List", {}])
    const message = { _tag: "Request", id: below(1e6), tag, payload: mutate(payload), headers: [] }
    if (chance < 0.85) return JSON.stringify(message)
    if (chance < 0.92)
      return JSON.stringify(Array.from({ length: below(5) }, () => (random() < 0.8 ? message : { _tag: "Ping" })))
    if (chance < 0.96) return JSON.stringify(mutate(message))
    if (chance < 0.98) return scratch(JSON.stringify(message))
    if (chance < 0.99) return JSON.stringify(json(4))
    return bytes(200)
  }
  const body = (): readonly [string, string | Buffer] => {
    const [path, valid] = pick(bodies, ["/api/v1/events", {}])
    const chance = random()
    const many =
      path === "/api/v1/events" && random() < 0.3
        ? Array.from({ length: below(4) }, () => mutate(valid))
        : mutate(valid)
    if (chance < 0.7) return [path, JSON.stringify(many)]
    if (chance < 0.85) return [path, scratch(JSON.stringify(many))]
    if (chance < 0.95) return [path, JSON.stringify(json(4))]
    return [path, bytes(300)]
  }
  return { frame, body, below }
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 })

/** Posts a body; answers the status, and what the server says of an error of its own. */
const post = (port: number, path: string, body: string | Buffer) =>
  Effect.callback<{ readonly status: number; readonly text: string }, unknown>((resume) => {
    const headers = {
      "content-type": "application/json",
      authorization: `Bearer ${service}`,
      "content-length": Buffer.byteLength(body)
    }
    const outgoing = request({ port, path, method: "POST", agent, headers }, (incoming) => {
      const status = incoming.statusCode ?? 0
      let text = ""
      incoming.on("data", (chunk: Buffer) => {
        if (status >= 500) text += chunk.toString()
      })
      incoming.on("end", () => resume(Effect.succeed({ status, text })))
    })
    outgoing.on("error", (cause) => resume(Effect.fail(cause)))
    outgoing.end(body)
  })

describe("a hundred thousand malformed frames and bodies", () => {
  it.live(
    "do not end the server, cost it no memory, and disturb nobody else",
    () =>
      Effect.gen(function* () {
        const chance = yield* seed
        yield* Effect.logInfo(`seed ${chance}`)
        const { below, body, frame } = fuzzer(randomOf(chance))
        // Past this heap V8 ends the process: what is kept of 100,000 inputs, if anything is, shows.
        const server = yield* BeckonProcess.start({
          env: { BECKON_JWT_SECRET: jwtSecret, NODE_OPTIONS: "--max-old-space-size=256" }
        })
        const { pid, port, url } = server
        // Many users: a mailbox pushes back when thousands of calls wait in it.
        const attackers = Array.from({ length: 50 }, (_, index) =>
          token({ sub: `mallory-${index}`, roles: ["user", "service"] })
        )

        const witness = yield* InboxClient.make({ url, token: token({ sub: "witness" }) })
        const arrived = yield* Queue.unbounded<number>()
        const connects: Array<boolean> = []
        yield* Effect.forkScoped(
          Stream.runForEach(witness.frames, (event) =>
            Effect.sync(() => {
              if (event._tag === "Notification") Queue.offerUnsafe(arrived, event.notification.seq)
              if (event._tag === "Subscribed") connects.push(event.recovered)
            })
          )
        )
        let sends = 0
        let slowest = 0
        const toWitness = { user_id: "witness", type: "t", title: "x", message: "" }
        const tell = Effect.gen(function* () {
          const begin = yield* Clock.currentTimeMillis
          const { status } = yield* call(url, "/api/v1/services/notifications/send", {
            token: service,
            body: toWitness
          })
          assert.strictEqual(status, 202)
          sends += 1
          slowest = Math.max(slowest, (yield* Clock.currentTimeMillis) - begin)
          yield* Effect.sleep("50 millis")
        })
        const telling = yield* Effect.forkScoped(Effect.forever(tell))
        const begin = yield* Clock.currentTimeMillis
        let frames = 0
        let posted = 0
        // A process is only itself once its code is hot and its database has pages: what grows after a third is kept.
        let warm: number | undefined
        const measureWarm = () => {
          if (warm === undefined && frames + posted >= (framesWanted + bodiesWanted) / 3) warm = rssOf(pid)
        }

        // A frame that does not parse ends its socket, so it is the last of its connection; then the next one is made.
        const endings = new Map<string, number>()
        const connection = Effect.gen(function* () {
          const batch: Array<string | Buffer> = []
          let messages = 0
          while (messages < 50) {
            const one = frame()
            const read = typeof one === "string" ? parse(one) : Result.fail("binary")
            if (Result.isSuccess(read) && messages + read.success.length > 60) break
            batch.push(one)
            if (Result.isFailure(read)) break
            messages += Math.max(1, read.success.length)
          }
          const socket = yield* rawSocket(port, attackers[below(attackers.length)] ?? "")
          socket.write(
            Buffer.concat([
              ...batch.map((one) => clientFrame(one, typeof one === "string" ? 1 : 1 + below(2))),
              clientFrame('{"_tag":"Ping"}')
            ])
          )
          const answer = yield* socket.until((text) => text === '{"_tag":"Pong"}')
          const ending = answer === undefined ? String(yield* socket.closed) : "answered"
          endings.set(ending, (endings.get(ending) ?? 0) + 1)
          frames += batch.length
          measureWarm()
        }).pipe(Effect.scoped)
        const whileFewer = <E>(
          count: () => number,
          wanted: number,
          effect: Effect.Effect<void, E>
        ): Effect.Effect<void, E> =>
          Effect.suspend(() =>
            count() >= wanted ? Effect.void : Effect.andThen(effect, whileFewer(count, wanted, effect))
          )
        const workers = (count: number, work: Effect.Effect<void, unknown>) =>
          Effect.forEach(Array.from({ length: count }), () => work, { concurrency: "unbounded", discard: true })

        const statuses = new Map<number, number>()
        const faults: Array<string> = []
        const posting = Effect.gen(function* () {
          const [path, text] = body()
          const answer = yield* post(port, path, text)
          const { status } = answer
          if (status >= 500) faults.push(`${path} ${String(text)} -> ${answer.text}`)
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          posted += 1
          measureWarm()
        })
        yield* Effect.all(
          [
            workers(
              16,
              whileFewer(() => frames, framesWanted, connection)
            ),
            workers(
              16,
              whileFewer(() => posted, bodiesWanted, posting)
            )
          ],
          { concurrency: "unbounded" }
        )
        const seconds = ((yield* Clock.currentTimeMillis) - begin) / 1_000
        const after = rssOf(pid)
        yield* Fiber.interrupt(telling)
        const { body: last } = yield* call(url, "/api/v1/services/notifications/send", {
          token: service,
          body: toWitness
        })
        const seen: Array<number> = []
        while (seen.at(-1) !== last.data.seq) seen.push(yield* Queue.take(arrived))

        assert.isAtLeast(frames + posted, 100_000)
        assert.deepStrictEqual(
          seen,
          Array.from({ length: last.data.seq }, (_, index) => index + 1)
        )
        assert.deepStrictEqual(connects, [false])
        const told = [...server.stdout, ...server.stderr].filter((line) => /WARN|ERROR/.test(line)).slice(-10)
        assert.deepStrictEqual(faults, [], told.join("\n"))
        for (const ending of endings.keys()) assert.include(["answered", "4500", "1006", "1007", "4005"], ending)
        assert.strictEqual((yield* call(url, "/health/ready")).status, 200)
        assert.isBelow(after - (warm ?? 0), 150)
        assert.isBelow(slowest, 10_000)
        yield* Effect.logInfo(
          `seed ${chance}: ${frames} frames on ${[...endings.values()].reduce((sum, count) => sum + count, 0)} sockets ${JSON.stringify([...endings])}, ` +
            `${posted} bodies ${JSON.stringify([...statuses])} in ${seconds.toFixed(1)} s; RSS ${warm?.toFixed(0)} to ${after.toFixed(0)} MB; ` +
            `witness: ${sends} sends, the slowest ${slowest} ms`
        )
      }),
    120_000
  )
})
