import type { PGlite } from "@electric-sql/pglite"
import { PgliteDuplex } from "./PgliteDuplex.ts"
import * as Wire from "./PgliteWire.ts"

interface Cycle {
  readonly connection: PgliteDuplex
  readonly bytes: Uint8Array
  readonly listens: ReadonlyArray<Wire.ListenCommand>
  /** The answer to a cycle which the session sent by itself goes to nobody. */
  readonly internal: boolean
  timer: NodeJS.Timeout | undefined
}

/** Cycles run back to back before timers and sockets of the process get their turn. */
const cyclesPerTurn = 32

/**
 * Lends the one backend of a PGlite instance to any number of connections, as a transaction-level pooler does.
 *
 * **Details**
 *
 * A cycle (everything up to `Sync`) runs alone. A connection which has a transaction open keeps the backend until
 * `ReadyForQuery` says idle; cycles of others wait, and are refused with SQLSTATE 55P03 after `waitMillis`, so that a
 * fiber which waits inside its transaction for another connection fails instead of hanging. A notification goes to
 * every connection which listens to its channel.
 *
 * **Gotchas**
 *
 * Settings (`SET`), temporary tables and session-level advisory locks belong to the backend and are shared by all
 * connections. A result is built in memory as a whole, streams included. A query cannot be cancelled once it runs.
 */
export class PgliteSession {
  readonly #pglite: PGlite
  readonly #waitMillis: number
  readonly #connections = new Map<number, PgliteDuplex>()
  readonly #channels = new Map<string, Set<PgliteDuplex>>()
  readonly #waiting: Array<Cycle> = []
  #owner: PgliteDuplex | undefined
  #running: Cycle | undefined
  #turn = 0
  #processIds = 0
  #dead: Error | undefined

  constructor(pglite: PGlite, options: { readonly waitMillis: number; readonly firstSecret: number }) {
    this.#pglite = pglite
    this.#waitMillis = options.waitMillis
    this.#processIds = options.firstSecret & 0xffff
  }

  /** A new connection; give this to `PgClient` as `stream`. */
  readonly connect = (): PgliteDuplex => {
    if (this.#dead !== undefined) throw this.#dead
    const processId = ++this.#processIds
    // The secret only guards against a wrong number: nobody outside of this process can reach the session.
    const connection = new PgliteDuplex(this, processId, processId ^ 0x5a5a5a5a)
    this.#connections.set(processId, connection)
    return connection
  }

  submit(connection: PgliteDuplex, bytes: Uint8Array, listens: ReadonlyArray<Wire.ListenCommand>): void {
    if (this.#dead !== undefined) {
      connection.destroy(this.#dead)
      return
    }
    const cycle: Cycle = { connection, bytes, listens, internal: false, timer: undefined }
    if (this.#running !== undefined || (this.#owner !== undefined && this.#owner !== connection)) {
      cycle.timer = setTimeout(() => this.#expire(cycle), this.#waitMillis)
    }
    this.#waiting.push(cycle)
    this.#pump()
  }

  /** Answers a waiting cycle of the connection with "query canceled"; one that runs cannot be stopped. */
  cancel(processId: number, secret: number): void {
    const connection = this.#connections.get(processId)
    if (connection === undefined || connection.secret !== secret) return
    const cycle = this.#waiting.find((waiting) => waiting.connection === connection && !waiting.internal)
    if (cycle !== undefined && this.#owner !== connection) {
      this.#refuse(cycle, "57014", "canceling statement due to user request")
    }
  }

  /** Forgets a connection: ends its transaction, its statements and the channels which only it listens to. */
  release(connection: PgliteDuplex): void {
    if (!this.#connections.delete(connection.processId)) return
    for (const cycle of this.#waiting.filter((waiting) => waiting.connection === connection)) this.#take(cycle)
    const messages: Array<Buffer> = []
    // A cycle that is still running may open a transaction, so the rollback is sent in that case too.
    if (this.#owner === connection || this.#running?.connection === connection)
      messages.push(Wire.simpleQuery("ROLLBACK"))
    for (const [channel, listeners] of this.#channels) {
      if (!listeners.delete(connection) || listeners.size > 0) continue
      this.#channels.delete(channel)
      messages.push(Wire.simpleQuery(`UNLISTEN ${Wire.quoteIdentifier(channel)}`))
    }
    for (const name of connection.statements) messages.push(Wire.closeStatement(name))
    if (connection.statements.size > 0) messages.push(Wire.sync)
    if (messages.length > 0) this.#submitInternal(connection, Buffer.concat(messages))
  }

  /** Connections which run or wait for a cycle, or have a transaction open. */
  get busyConnections(): number {
    const busy = new Set(this.#waiting.map((cycle) => cycle.connection))
    if (this.#running !== undefined) busy.add(this.#running.connection)
    if (this.#owner !== undefined) busy.add(this.#owner)
    return busy.size
  }

  #submitInternal(connection: PgliteDuplex, bytes: Uint8Array): void {
    if (this.#dead !== undefined) return
    this.#waiting.unshift({ connection, bytes, listens: [], internal: true, timer: undefined })
    this.#pump()
  }

  #pump(): void {
    if (this.#running !== undefined || this.#waiting.length === 0) return
    if (this.#turn >= cyclesPerTurn) return
    const owner = this.#owner
    const cycle = owner === undefined ? this.#waiting[0] : this.#waiting.find((waiting) => waiting.connection === owner)
    if (cycle === undefined) return
    this.#take(cycle)
    if (this.#turn++ === 0) {
      setImmediate(() => {
        this.#turn = 0
        this.#pump()
      })
    }
    this.#run(cycle)
  }

  #run(cycle: Cycle): void {
    this.#running = cycle
    const output: Array<Buffer> = []
    this.#pglite
      .execProtocolRawStream(cycle.bytes, {
        // Node's file system has no later sync: PostgreSQL has written its log when it answers.
        syncToFs: false,
        // The bytes are a view of the memory of the backend, which the next message overwrites.
        onRawData: (bytes) => output.push(Buffer.from(bytes))
      })
      .then(
        () => this.#finish(cycle, output.length === 1 && output[0] !== undefined ? output[0] : Buffer.concat(output)),
        (cause: unknown) => this.#die(new Error("The embedded database has failed", { cause }))
      )
  }

  #finish(cycle: Cycle, output: Buffer): void {
    this.#running = undefined
    const answer = this.#route(output)
    this.#owner = output.at(-1) === Wire.idle ? undefined : cycle.connection
    for (const command of cycle.listens) this.#applyListen(cycle.connection, command)
    if (!cycle.internal && !cycle.connection.destroyed && !cycle.connection.readableEnded) cycle.connection.push(answer)
    this.#pump()
  }

  /** Sends notifications to those who listen and returns the rest, which answers the cycle. */
  #route(output: Buffer): Buffer {
    if (this.#channels.size === 0) return output
    const kept: Array<Buffer> = []
    let begin = 0
    let offset = 0
    while (offset < output.length) {
      const end = offset + Wire.messageLength(output, offset)
      if (output[offset] === Wire.backend.notification) {
        kept.push(output.subarray(begin, offset))
        begin = end
        const [channel] = Wire.readText(output, offset + 9)
        for (const listener of this.#channels.get(channel) ?? []) listener.push(output.subarray(offset, end))
      }
      offset = end
    }
    if (kept.length === 0) return output
    kept.push(output.subarray(begin))
    return Buffer.concat(kept)
  }

  #applyListen(connection: PgliteDuplex, command: Wire.ListenCommand): void {
    const listeners = this.#channels.get(command.channel)
    if (command.listen) {
      if (listeners === undefined) this.#channels.set(command.channel, new Set([connection]))
      else listeners.add(connection)
      return
    }
    if (listeners === undefined) return
    listeners.delete(connection)
    if (listeners.size === 0) this.#channels.delete(command.channel)
    // The backend is shared: one connection's UNLISTEN silenced the others as well.
    else this.#submitInternal(connection, Wire.simpleQuery(`LISTEN ${Wire.quoteIdentifier(command.channel)}`))
  }

  #take(cycle: Cycle): void {
    clearTimeout(cycle.timer)
    const index = this.#waiting.indexOf(cycle)
    if (index >= 0) this.#waiting.splice(index, 1)
  }

  #expire(cycle: Cycle): void {
    this.#refuse(cycle, "55P03", `another transaction has kept the embedded database busy for ${this.#waitMillis} ms`)
  }

  #refuse(cycle: Cycle, sqlState: string, reason: string): void {
    this.#take(cycle)
    if (!cycle.connection.destroyed) cycle.connection.push(Wire.refusal(sqlState, reason))
  }

  #die(error: Error): void {
    this.#dead = error
    this.#running = undefined
    for (const cycle of this.#waiting.splice(0)) clearTimeout(cycle.timer)
    for (const connection of this.#connections.values()) connection.destroy(error)
  }
}
