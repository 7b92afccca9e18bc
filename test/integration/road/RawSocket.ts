/**
 * A WebSocket client on a bare TCP connection (RFC 6455): it can stop reading, break any rule, and is cheap to make by the
 * thousand.
 */
import { Deferred, Effect } from "effect"
import type { Scope } from "effect"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { socketPath } from "@beckon/domain/InboxRpcs"

const opcodes = { text: 1, binary: 2, close: 8 } as const

const mask = Buffer.from([1, 2, 3, 4])

/** A whole frame as a client sends it, masked (section 5.3). */
export const clientFrame = (payload: string | Uint8Array, opcode: number = opcodes.text): Buffer => {
  const body = Buffer.from(payload)
  const length = body.length
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | length])
      : length < 65_536
        ? Buffer.from([0x80 | opcode, 0x80 | 126, length >> 8, length & 255])
        : Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | 127]), lengthOf(length)])
  for (let index = 0; index < length; index++) body[index] = (body[index] ?? 0) ^ (mask[index & 3] ?? 0)
  return Buffer.concat([head, mask, body])
}

const lengthOf = (length: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return bytes
}

export interface RawSocket {
  readonly socket: Socket
  readonly write: (data: string | Uint8Array) => void
  /** Text frames so far. */
  readonly texts: ReadonlyArray<string>
  /** The next text, past or future, that satisfies; or undefined when the connection ends before. */
  readonly until: (is: (text: string) => boolean) => Effect.Effect<string | undefined>
  /** The code of the close frame, 1006 without one, once the connection has ended. */
  readonly closed: Effect.Effect<number>
}

export interface RawSocketOptions {
  /** False keeps no texts but those that `until` asks for. */
  readonly keep?: boolean
}

/** Connects and upgrades; dies when the server refuses. */
export const rawSocket = (
  port: number,
  token: string,
  { keep = true }: RawSocketOptions = {}
): Effect.Effect<RawSocket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<RawSocket>((resume) => {
      const socket = connect(port, "127.0.0.1")
      const texts: Array<string> = []
      const closed = Deferred.makeUnsafe<number>()
      const waiting = new Set<{
        readonly is: (text: string) => boolean
        readonly found: Deferred.Deferred<string | undefined>
      }>()
      let closeCode = 1006
      let chunks: Array<Buffer> = []
      let size = 0
      let needed = 0
      let upgraded = false

      const take = (text: string) => {
        if (keep) texts.push(text)
        for (const waiter of waiting) {
          if (waiter.is(text) && waiting.delete(waiter)) Deferred.doneUnsafe(waiter.found, Effect.succeed(text))
        }
      }

      /** Reads whole frames; answers the bytes that are left. */
      const read = (data: Buffer): Buffer => {
        let rest = data
        while (true) {
          const short = rest[1] === undefined ? 0 : rest[1] & 127
          const head = short === 127 ? 10 : short === 126 ? 4 : 2
          if (rest.length < head) return rest
          const length = short === 127 ? Number(rest.readBigUInt64BE(2)) : short === 126 ? rest.readUInt16BE(2) : short
          needed = head + length
          if (rest.length < needed) return rest
          const payload = rest.subarray(head, needed)
          const opcode = (rest[0] ?? 0) & 15
          if (opcode === opcodes.text) take(payload.toString())
          else if (opcode === opcodes.close) closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005
          rest = rest.subarray(needed)
          needed = 0
        }
      }

      socket.on("data", (data: Buffer) => {
        chunks.push(data)
        size += data.length
        if (upgraded && size < needed) return
        let all = Buffer.concat(chunks)
        if (!upgraded) {
          const end = all.indexOf("\r\n\r\n")
          if (end === -1) return
          const status = all.subarray(0, end).toString().split("\r\n")[0]
          if (!/ 101 /.test(status ?? "")) return resume(Effect.die(new Error(`The upgrade was refused: ${status}`)))
          upgraded = true
          all = all.subarray(end + 4)
          resume(Effect.succeed(made))
        }
        const rest = read(all)
        chunks = rest.length === 0 ? [] : [rest]
        size = rest.length
      })
      socket.on("error", () => {})
      socket.on("close", () => {
        Deferred.doneUnsafe(closed, Effect.succeed(closeCode))
        for (const { found } of waiting) Deferred.doneUnsafe(found, Effect.undefined)
        resume(Effect.die(new Error("The connection ended before it was upgraded")))
      })
      socket.write(
        [
          `GET ${socketPath} HTTP/1.1`,
          "Host: test",
          "Upgrade: websocket",
          "Connection: Upgrade",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          "Sec-WebSocket-Protocol: beckon.v1",
          `Authorization: Bearer ${token}`,
          "",
          ""
        ].join("\r\n")
      )
      const made: RawSocket = {
        socket,
        write: (data) => void socket.write(data),
        texts,
        until: (is) =>
          Effect.suspend(() => {
            const past = texts.find(is)
            if (past !== undefined || Deferred.isDoneUnsafe(closed)) return Effect.succeed(past)
            const found = Deferred.makeUnsafe<string | undefined>()
            waiting.add({ is, found })
            return Deferred.await(found)
          }),
        closed: Deferred.await(closed)
      }
    }),
    ({ socket }) => Effect.sync(() => void socket.destroy())
  )
