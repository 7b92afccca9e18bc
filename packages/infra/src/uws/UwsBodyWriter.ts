/**
 * Writes the body of a response piece by piece, at the reader's pace.
 */
import * as Effect from "effect/Effect"
import type { Exchange } from "./UwsExchange.ts"
import { type Head, writeHead } from "./UwsResponseHead.ts"

/** Bytes handed to the binding at once. */
export const pieceBytes = 64 * 1024

/** Writes pieces of one body and waits where the socket says so. The head goes out with the first piece. */
export class BodyWriter {
  private sent = 0
  private readonly exchange: Exchange
  private readonly head: Head
  private readonly total: number | undefined

  constructor(exchange: Exchange, head: Head, total: number | undefined) {
    this.exchange = exchange
    this.head = head
    this.total = total
  }

  writeAll(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void> {
    const { exchange, total } = this
    let index = 0
    let offset = 0
    const loop = (): Effect.Effect<void> => {
      while (index < chunks.length && !exchange.answered) {
        const chunk = chunks[index]!
        if (offset >= chunk.byteLength) {
          index++
          offset = 0
          continue
        }
        const piece = chunk.subarray(offset, offset + pieceBytes)
        if (total !== undefined && this.sent + piece.byteLength > total) {
          return Effect.die(new Error(`The response body is longer than its content-length of ${total}`))
        }
        const written = total === undefined ? this.writeChunked(piece) : this.writeCounted(piece, total)
        offset += written
        this.sent += written
        if (exchange.blocked) return Effect.flatMap(exchange.drained, loop)
      }
      return Effect.void
    }
    return Effect.suspend(loop)
  }

  complete(): Effect.Effect<void> {
    const { exchange, total } = this
    if (exchange.answered) return Effect.void
    if (total !== undefined && this.sent < total) {
      return Effect.die(new Error(`The response body is shorter than its content-length of ${total}`))
    }
    exchange.end((res) => {
      this.ensureHead()
      res.end()
    })
    return Effect.void
  }

  /** The binding buffers what the socket does not take. */
  private writeChunked(piece: Uint8Array): number {
    this.exchange.cork(() => {
      this.ensureHead()
      if (!this.exchange.res.write(piece)) this.exchange.block()
    })
    return piece.byteLength
  }

  /** The binding takes only what the socket takes and ends the answer with the last byte. */
  private writeCounted(piece: Uint8Array, total: number): number {
    const { exchange } = this
    if (this.sent + piece.byteLength === total) exchange.release()
    let written = piece.byteLength
    exchange.cork(() => {
      this.ensureHead()
      const before = exchange.res.getWriteOffset()
      const [taken, ended] = exchange.res.tryEnd(piece, total)
      if (ended) return exchange.finish()
      if (taken) return
      written = exchange.res.getWriteOffset() - before
      exchange.block()
    })
    return written
  }

  private ensureHead(): void {
    const { exchange, head } = this
    if (exchange.headWritten) return
    writeHead(exchange, exchange.res, head)
    // The binding cannot close after such a body, so that the client is asked to.
    if (exchange.host.connections.draining || head.closes) exchange.res.writeHeader("connection", "close")
  }
}
