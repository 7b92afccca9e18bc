import { Duplex } from "node:stream"
import type { PgliteSession } from "./PgliteSession.ts"
import * as Wire from "./PgliteWire.ts"

/**
 * One PostgreSQL connection to an embedded database, for `PgClient`'s `stream` option.
 *
 * **Details**
 *
 * Bytes written are cut into protocol messages however they were split or merged, and handed to the session as whole
 * cycles, each ending with `Sync` or a simple `Query`. Startup, TLS and cancel requests are answered here: the backend
 * below exists already and knows no passwords.
 */
export class PgliteDuplex extends Duplex {
  readonly processId: number
  readonly secret: number
  /** Statements which the backend holds for this connection; it would keep them forever. */
  readonly statements = new Set<string>()
  readonly #listenStatements = new Map<string, Wire.ListenCommand>()
  readonly #session: PgliteSession
  #received: Buffer = Buffer.alloc(0)
  #scanned = 0
  #started = false
  #listens: Array<Wire.ListenCommand> = []

  constructor(session: PgliteSession, processId: number, secret: number) {
    super({ allowHalfOpen: false })
    this.#session = session
    this.processId = processId
    this.secret = secret
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    if (!this.#started && !this.#start()) return done()
    this.#cut()
    done()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#session.release(this)
    this.push(null)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#session.release(this)
    done(error)
  }

  /** Handles messages before the session; true once the rest of the received bytes belongs to the session. */
  #start(): boolean {
    while (this.#received.length >= 8) {
      const length = this.#received.readInt32BE(0)
      if (this.#received.length < length) return false
      const code = this.#received.readInt32BE(4)
      const body = this.#received.subarray(8, length)
      this.#received = this.#received.subarray(length)
      if (code === Wire.request.ssl || code === Wire.request.gss) {
        this.push(Wire.sslRefused)
        continue
      }
      if (code === Wire.request.cancel) {
        this.#session.cancel(body.readInt32BE(0), body.readInt32BE(4))
        // The sender reads nothing and waits for the close, which ending alone would not bring.
        this.destroy()
        return false
      }
      this.#started = true
      this.push(Wire.startupReply(this.processId, this.secret))
      return true
    }
    return false
  }

  #cut(): void {
    const bytes = this.#received
    let begin = 0
    let offset = this.#scanned
    for (;;) {
      const length = Wire.messageLength(bytes, offset)
      if (length === 0 || offset + length > bytes.length) break
      const type = bytes[offset]
      if (type === Wire.frontend.parse) this.#onParse(bytes, offset)
      else if (type === Wire.frontend.bind && this.#listenStatements.size > 0) this.#onBind(bytes, offset)
      else if (type === Wire.frontend.close) this.#onClose(bytes, offset)
      offset += length
      if (type === Wire.frontend.terminate) {
        begin = offset
      } else if (type === Wire.frontend.sync || type === Wire.frontend.query) {
        const listens = this.#listens
        if (listens.length > 0) this.#listens = []
        this.#session.submit(this, bytes.subarray(begin, offset), listens)
        begin = offset
      }
    }
    this.#received = begin === bytes.length ? Buffer.alloc(0) : bytes.subarray(begin)
    this.#scanned = offset - begin
  }

  #onParse(bytes: Buffer, offset: number): void {
    const [name, sqlAt] = Wire.readText(bytes, offset + 5)
    if (name !== "") this.statements.add(name)
    const first = (bytes[sqlAt] ?? 0) | 0x20
    // Only texts beginning with L or U can be LISTEN or UNLISTEN.
    const command = first === 0x6c || first === 0x75 ? Wire.parseListen(Wire.readText(bytes, sqlAt)[0]) : undefined
    if (command === undefined) this.#listenStatements.delete(name)
    else this.#listenStatements.set(name, command)
  }

  #onBind(bytes: Buffer, offset: number): void {
    const statementAt = Wire.readText(bytes, offset + 5)[1]
    const command = this.#listenStatements.get(Wire.readText(bytes, statementAt)[0])
    if (command !== undefined) this.#listens.push(command)
  }

  #onClose(bytes: Buffer, offset: number): void {
    // 0x53 closes a statement, 0x50 a portal.
    if (bytes[offset + 5] !== 0x53) return
    const [name] = Wire.readText(bytes, offset + 6)
    this.statements.delete(name)
    this.#listenStatements.delete(name)
  }
}
