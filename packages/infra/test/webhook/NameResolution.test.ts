import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createSocket } from "node:dgram"
import type { RemoteInfo } from "node:dgram"
import { systemResolve } from "../../src/webhook/NameResolution.ts"

const typeA = 1
const typeAaaa = 28

/** What a name server says: addresses as bytes, a code of failure (RFC 1035, 4.1.1), or nothing at all. */
type Reply = ReadonlyArray<ReadonlyArray<number>> | number | "silence"

const record = (type: number, address: ReadonlyArray<number>) =>
  Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 1, 0, address.length, ...address])

/** A name server on loopback that answers `reply(name, type)`. */
const nameServer = Effect.fnUntraced(function* (reply: (name: string, type: number) => Reply) {
  const asked: Array<string> = []
  const socket = createSocket("udp4")
  socket.on("message", (query: Buffer, from: RemoteInfo) => {
    let at = 12
    const labels: Array<string> = []
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("ascii", at + 1, at + 1 + length))
      at += 1 + length
    }
    const question = query.subarray(12, at + 5)
    const type = query.readUInt16BE(at + 1)
    const said = reply(labels.join("."), type)
    asked.push(labels.join("."))
    if (said === "silence") return
    const records = typeof said === "number" ? [] : said.map((address) => record(type, address))
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(0x8180 | (typeof said === "number" ? said : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    socket.send(Buffer.concat([header, question, ...records]), from.port, from.address)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void socket.bind(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.callback<void>((resume) => void socket.close(() => resume(Effect.void)))
  )
  return { asked, resolve: systemResolve({ servers: [`127.0.0.1:${socket.address().port}`], timeout: 250 }) }
})

const six = (first: number, last: number) => [first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]

describe("systemResolve", () => {
  it.live("gives all addresses, IPv4 first", () =>
    Effect.gen(function* () {
      const { resolve } = yield* nameServer((_name, type) =>
        type === typeA
          ? [
              [192, 0, 2, 1],
              [10, 0, 0, 1]
            ]
          : [six(0x20, 1)]
      )
      const found = yield* Effect.promise(() => resolve("hook.test"))
      assert.deepStrictEqual(found.slice(0, 2).toSorted(), ["10.0.0.1", "192.0.2.1"])
      assert.deepStrictEqual(found.slice(2), ["2000::1"])
    })
  )

  it.live("is content with one kind when the other fails or stays away", () =>
    Effect.gen(function* () {
      for (const nothing of [[], 2, "silence"] as ReadonlyArray<Reply>) {
        const four = yield* nameServer((_name, type) => (type === typeA ? [[192, 0, 2, 1]] : nothing))
        assert.deepStrictEqual(yield* Effect.promise(() => four.resolve("hook.test")), ["192.0.2.1"])
        const only = yield* nameServer((_name, type) => (type === typeAaaa ? [six(0x20, 1)] : nothing))
        assert.deepStrictEqual(yield* Effect.promise(() => only.resolve("hook.test")), ["2000::1"])
      }
    })
  )

  it.live("fails when nobody knows the name, or nobody answers", () =>
    Effect.gen(function* () {
      const codeOf = (reply: Reply) =>
        Effect.gen(function* () {
          const { resolve } = yield* nameServer(() => reply)
          const error = yield* Effect.flip(
            Effect.tryPromise({ try: () => resolve("hook.test"), catch: (cause) => cause as { readonly code: string } })
          )
          return error.code
        })
      assert.strictEqual(yield* codeOf(3), "ENOTFOUND")
      assert.strictEqual(yield* codeOf(2), "ESERVFAIL")
      assert.strictEqual(yield* codeOf([]), "ENODATA")
      assert.strictEqual(yield* codeOf("silence"), "ETIMEOUT")
    })
  )

  it.live("takes names as they are, and asks nobody where localhost is", () =>
    Effect.gen(function* () {
      const { asked, resolve } = yield* nameServer(() => [])
      assert.deepStrictEqual(yield* Effect.promise(() => resolve("localhost")), ["127.0.0.1", "::1"])
      assert.deepStrictEqual(yield* Effect.promise(() => resolve("a.localhost")), ["127.0.0.1", "::1"])
      assert.deepStrictEqual(asked, [])
      yield* Effect.ignore(Effect.tryPromise(() => resolve("intranet")))
      assert.deepStrictEqual([...new Set(asked)], ["intranet"])
    })
  )
})
