/**
 * HTTPS connections that are kept for the next request, and that die when one request takes too long.
 *
 * **Details**
 *
 * A socket timeout of Node counts silence, and so a server that drips bytes holds a request for ever. Here a connection has so
 * many ms from the moment a request gets it, connecting included, until it is given back; after that it is destroyed, and
 * its request fails with `deadlineCode`.
 *
 * Some clients never notice that an answer broke off in its middle (firebase-admin 14 is one). Who runs a request within `whenLost` is told when
 * the connection is gone and its request should long have ended.
 *
 * `connectTo` leads every connection to one address instead of the host of the URL, as a forwarder in front of the push services does.
 * The certificate must still be one of the URL's host.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { Agent } from "node:https"
import type { Duplex } from "node:stream"

/** The `code` of the error of a request that took too long. */
export const deadlineCode = "EDEADLINE"

export interface ConnectTo {
  readonly host: string
  readonly port: number
  /** PEM; authorities to trust instead of those that Node brings. */
  readonly ca?: string
}

export interface BoundedAgentOptions {
  /** Milliseconds for one request. */
  readonly limit: number
  readonly maxSockets: number
  readonly connectTo?: ConnectTo | undefined
}

/** Milliseconds for which a connection waits for another request: less than servers do, which otherwise close it under one. */
const idle = 30_000

type Connecting = Parameters<Agent["createConnection"]>
type Lost = (cause: unknown) => void

/** How long what a connection brought before its end may still take to be read, in ms. */
const grace = 250

/** Node calls the agent's hooks within the call of `request`, and so this is the caller of the request that gets the connection. */
const callers = new AsyncLocalStorage<Lost>()

/** Runs a request; `lost` is told, perhaps after the request has ended by itself, that its connection is no more. */
export const whenLost = <A>(lost: Lost, run: () => A): A => callers.run(lost, run)

interface Use {
  readonly timer: NodeJS.Timeout
  readonly lost: Lost | undefined
}

export class BoundedAgent extends Agent {
  readonly #limit: number
  readonly #connectTo: ConnectTo | undefined
  readonly #uses = new Map<Duplex, Use>()

  constructor({ connectTo, limit, maxSockets }: BoundedAgentOptions) {
    super({ keepAlive: true, timeout: idle, maxSockets, maxFreeSockets: maxSockets, scheduling: "lifo" })
    this.#limit = limit
    this.#connectTo = connectTo
  }

  override createConnection(options: Connecting[0], callback?: Connecting[1]): Duplex | null | undefined {
    const socket = super.createConnection({ ...options, ...this.#connectTo }, callback)
    if (socket) {
      this.#begin(socket)
      let cause: unknown = Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" })
      socket.once("error", (error) => (cause = error))
      socket.once("close", () => {
        const lost = this.#end(socket)
        if (lost !== undefined) setTimeout(lost, grace, cause).unref()
      })
    }
    return socket
  }

  override keepSocketAlive(socket: Duplex): void {
    this.#end(socket)
    // What the base class returns decides whether the socket is kept, though its type does not say so.
    return super.keepSocketAlive(socket)
  }

  override reuseSocket(...[socket, request]: Parameters<Agent["reuseSocket"]>): void {
    this.#begin(socket)
    super.reuseSocket(socket, request)
  }

  #begin(socket: Duplex): void {
    this.#end(socket)
    const expire = () => {
      socket.destroy(Object.assign(new Error(`no answer within ${this.#limit} ms`), { code: deadlineCode }))
    }
    this.#uses.set(socket, { timer: setTimeout(expire, this.#limit), lost: callers.getStore() })
  }

  /** Answers whom the end of the connection concerns. */
  #end(socket: Duplex): Lost | undefined {
    const use = this.#uses.get(socket)
    clearTimeout(use?.timer)
    this.#uses.delete(socket)
    return use?.lost
  }
}
