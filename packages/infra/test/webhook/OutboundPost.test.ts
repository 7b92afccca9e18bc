import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import { request } from "node:https"
import { generate } from "selfsigned"
import * as GuardedAgents from "../../src/webhook/GuardedAgents.ts"
import type { Resolve } from "../../src/webhook/NameResolution.ts"
import { OutboundPost } from "../../src/webhook/OutboundPost.ts"
import * as PublicAddresses from "../../src/webhook/PublicAddresses.ts"
import { onLoopback, rawReceiver, receiver } from "./Receiver.ts"

/** The status, or why there is none. */
const post = Effect.fnUntraced(function* (url: string) {
  const outbound = yield* OutboundPost
  const exit = yield* Effect.exit(outbound.post({ url, headers: {}, body: new Uint8Array(0) }))
  return Exit.isSuccess(exit)
    ? exit.value.status
    : Option.match(Exit.findErrorOption(exit), { onNone: () => "defect", onSome: ({ code }) => code })
})

/** A name server of one name, whose answers are taken in order; the last one stays. */
const answering = (...answers: ReadonlyArray<ReadonlyArray<string>>) => {
  const asked: Array<string> = []
  const resolve: Resolve = (hostname) => {
    asked.push(hostname)
    return Promise.resolve(answers[Math.min(asked.length, answers.length) - 1] ?? [])
  }
  return { asked, resolve }
}

const certificateOf = (name: string) =>
  Effect.promise(() =>
    generate([{ name: "commonName", value: name }], {
      algorithm: "sha256",
      extensions: [
        { name: "basicConstraints", cA: true },
        { name: "subjectAltName", altNames: [{ type: 2, value: name }] }
      ]
    })
  )

const closing = { connection: "close" }

describe("OutboundPost", () => {
  it.live("looks a name up once for a connection, and connects to what was checked", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.writeHead(200, closing).end())
      const names = answering(["127.0.0.1"], ["10.0.0.1"])
      const url = `http://hook.test:${server.port}/`
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* post(url), 200)
        assert.deepStrictEqual(names.asked, ["hook.test"])
        assert.strictEqual((yield* server.take).headers.host, `hook.test:${server.port}`)
        // The name leads inside now.
        assert.strictEqual(yield* post(url), "address_refused")
        assert.strictEqual(names.asked.length, 2)
      }).pipe(Effect.provide(onLoopback({ resolve: names.resolve })))
      assert.strictEqual(server.connections(), 1)
    })
  )

  it.live("refuses a name of whose addresses only one is not public", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.end())
      for (const inside of ["10.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "fe80::1%lo", "::1", "nonsense", ""]) {
        for (const addresses of [
          ["127.0.0.1", inside],
          [inside, "127.0.0.1"]
        ]) {
          const layer = onLoopback({ allowedNetworks: ["127.0.0.0/8"], resolve: answering(addresses).resolve })
          const outcome = yield* Effect.provide(post(`http://hook.test:${server.port}/`), layer)
          assert.strictEqual(outcome, "address_refused", addresses.join())
        }
      }
      assert.strictEqual(server.connections(), 0)
    })
  )

  it.live("goes on to the next address when one is dead", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.end())
      const layer = onLoopback({ resolve: answering(["127.0.0.2", "127.0.0.1"]).resolve })
      assert.strictEqual(yield* Effect.provide(post(`http://hook.test:${server.port}/`), layer), 200)
    })
  )

  it.live("says that a name has no address, or that nobody knows", () =>
    Effect.gen(function* () {
      const failing: Resolve = () => Promise.reject(Object.assign(new Error("x"), { code: "ESERVFAIL" }))
      for (const resolve of [answering([]).resolve, failing]) {
        assert.strictEqual(yield* Effect.provide(post("http://hook.test/"), onLoopback({ resolve })), "dns")
      }
    })
  )

  it.live("judges addresses in URLs by the same rules", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.end())
      const none = onLoopback({ allowedNetworks: [] })
      for (const host of ["127.0.0.1", "localhost", "a.localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"]) {
        assert.strictEqual(yield* Effect.provide(post(`http://${host}:${server.port}/`), none), "address_refused", host)
      }
      assert.strictEqual(server.connections(), 0)
      const loopback = onLoopback()
      for (const host of ["127.0.0.1", "localhost", "0x7f.1"]) {
        assert.strictEqual(yield* Effect.provide(post(`http://${host}:${server.port}/`), loopback), 200, host)
      }
      // Nobody listens there, and some machines have no IPv6; the guard lets it pass.
      assert.strictEqual(yield* Effect.provide(post("http://[::1]:1024/"), loopback), "connection")
    })
  )

  it.live("guards its agents, whoever uses them", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.end())
      const { agents } = yield* OutboundPost
      const codeOf = (host: string) =>
        Effect.callback<unknown>((resume) => {
          const call = request({ host, port: server.port, agent: agents.https })
          call.on("error", (error) => resume(Effect.succeed("code" in error ? error.code : undefined)))
          call.end()
        })
      for (const host of ["127.0.0.1", "localhost", "::1"]) {
        assert.strictEqual(yield* codeOf(host), GuardedAgents.refusedCode, host)
      }
      assert.strictEqual(server.connections(), 0)
    }).pipe(Effect.provide(onLoopback({ allowedNetworks: [] })))
  )

  it.live("asks a certificate for the name of the URL, and for an authority that is trusted", () =>
    Effect.gen(function* () {
      const ours = yield* certificateOf("hook.test")
      const server = yield* receiver((response) => response.end(), { key: ours.private, cert: ours.cert })
      const { resolve } = answering(["127.0.0.1"])
      const trusting = onLoopback({ resolve, ca: ours.cert, allowInsecure: false })
      assert.strictEqual(yield* Effect.provide(post(`https://hook.test:${server.port}/`), trusting), 200)
      assert.strictEqual((yield* server.take).headers.host, `hook.test:${server.port}`)
      assert.strictEqual(yield* Effect.provide(post(`https://other.test:${server.port}/`), trusting), "tls")
      assert.strictEqual(yield* Effect.provide(post(`https://127.0.0.1:${server.port}/`), trusting), "tls")
      assert.strictEqual(yield* Effect.provide(post(`http://hook.test:${server.port}/`), trusting), "url_refused")
      const doubting = onLoopback({ resolve })
      assert.strictEqual(yield* Effect.provide(post(`https://hook.test:${server.port}/`), doubting), "tls")
      const plain = yield* receiver((response) => response.end())
      assert.strictEqual(yield* Effect.provide(post(`https://hook.test:${plain.port}/`), trusting), "tls")
    })
  )

  it.live("keeps a connection for the next request, and gives it back with its scope", () =>
    Effect.gen(function* () {
      const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
      const server = yield* rawReceiver((socket) => {
        socket.write(answer)
        socket.on("data", () => socket.write(answer))
      })
      const names = answering(["127.0.0.1"])
      yield* Effect.gen(function* () {
        const url = `http://hook.test:${server.port}/`
        assert.deepStrictEqual([yield* post(url), yield* post(url), yield* post(url)], [200, 200, 200])
        assert.strictEqual(yield* post(`http://other.test:${server.port}/`), 200)
      }).pipe(Effect.provide(onLoopback({ resolve: names.resolve })))
      assert.strictEqual(server.connections(), 2)
      assert.deepStrictEqual(names.asked, ["hook.test", "other.test"])
      yield* server.closed
    })
  )

  it.live("closes a connection that is too old, though it waits for a request", () =>
    Effect.gen(function* () {
      const server = yield* rawReceiver((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
      const addresses = yield* PublicAddresses.make(["127.0.0.0/8"])
      const { resolve } = answering(["127.0.0.1"])
      const agents = yield* GuardedAgents.make({ addresses, resolve, idle: 3_600_000, maxAge: 20 })
      yield* Effect.callback<void>((resume) => {
        const { port } = server
        const call = agents.http.createConnection({ host: "hook.test", port })
        call?.on("connect", () => {
          call.write("x")
          agents.http.keepSocketAlive(call)
          resume(Effect.void)
        })
      })
      yield* server.closed
    })
  )
})
