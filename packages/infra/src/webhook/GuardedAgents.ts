/**
 * Agents for HTTP and HTTPS whose connections end at allowed addresses only, whoever uses them and whatever the name servers say.
 *
 * **Details**
 *
 * A name is looked up once for a connection; if any of its addresses is not allowed, there is no connection; and the socket is
 * given exactly the addresses that were checked. A second lookup, with another answer (DNS rebinding), does not happen. The
 * certificate is checked against the name of the URL.
 *
 * A connection is kept for the next request to the same host for a few seconds, and never for longer than `maxAge` altogether.
 *
 * **Gotchas**
 *
 * The guard is in `createConnection`: a caller that brings its own, or its own socket, goes past it.
 */
import { Agent as HttpAgent } from "node:http"
import { Agent as HttpsAgent } from "node:https"
import { connect, isIP, Socket } from "node:net"
import type { LookupFunction } from "node:net"
import type { Duplex } from "node:stream"
import { rootCertificates } from "node:tls"
import { Effect } from "effect"
import type { Scope } from "effect"
import type { Resolve } from "./NameResolution.ts"
import type { PublicAddresses } from "./PublicAddresses.ts"

/** The `code` of the error of a connection that the guard refused. */
export const refusedCode = "EADDRESSREFUSED"

/** Says neither the name nor the address: whoever chose the URL learns nothing about the network inside. */
const refused = () => Object.assign(new Error("the host does not lead to a public address"), { code: refusedCode })

const unknownName = () => Object.assign(new Error("the host has no address"), { code: "ENOTFOUND" })

export interface GuardOptions {
  readonly addresses: PublicAddresses
  readonly resolve: Resolve
  /** PEM; authorities to trust besides those that Node brings. */
  readonly ca?: string | undefined
  /** Milliseconds for which an idle connection is kept; servers often close theirs after five seconds. */
  readonly idle?: number
  /** Milliseconds after which a connection is not used again. */
  readonly maxAge?: number
}

/** A name with more addresses than this does not make us knock at all of them. */
const maxAddresses = 4

const guardedLookup =
  ({ addresses, resolve }: GuardOptions): LookupFunction =>
  (hostname, options, callback) => {
    const fail = (error: Error) => callback(error, "", 0)
    const answer = (found: ReadonlyArray<string>) => {
      const [first, ...others] = found.map((address) => ({ address, family: isIP(address) }))
      if (first === undefined) return fail(unknownName())
      if (!found.every(addresses.allows)) return fail(refused())
      return options.all === true
        ? callback(null, [first, ...others].slice(0, maxAddresses))
        : callback(null, first.address, first.family)
    }
    resolve(hostname).then(answer, (cause: unknown) => fail(cause instanceof Error ? cause : unknownName()))
  }

/** Connections that wait for another request, and those that are too old for one. */
class Lifetimes {
  readonly #maxAge: number
  readonly #idle = new Set<Duplex>()
  readonly #old = new WeakSet<Duplex>()

  constructor(maxAge: number) {
    this.#maxAge = maxAge
  }

  begin(socket: Duplex): void {
    const timer = setTimeout(() => {
      this.#old.add(socket)
      if (this.#idle.has(socket)) socket.destroy()
    }, this.#maxAge)
    socket.once("close", () => {
      clearTimeout(timer)
      this.#idle.delete(socket)
    })
  }

  /** Whether another request may have it. */
  rest(socket: Duplex): boolean {
    if (this.#old.has(socket)) return false
    this.#idle.add(socket)
    return true
  }

  work(socket: Duplex): void {
    this.#idle.delete(socket)
  }
}

type Connecting = Parameters<HttpAgent["createConnection"]>

/** What both agents do alike. */
class Guard {
  readonly #options: GuardOptions
  readonly #lookup: LookupFunction
  readonly lifetimes: Lifetimes

  constructor(options: GuardOptions) {
    this.#options = options
    this.#lookup = guardedLookup(options)
    this.lifetimes = new Lifetimes(options.maxAge ?? 30_000)
  }

  connect(
    [options, callback]: Connecting,
    connect: (...args: Connecting) => Duplex | null | undefined
  ): Duplex | null | undefined {
    const host = options.host ?? ""
    // Node looks only names up: an address has to be judged here.
    if (isIP(host) !== 0 && !this.#options.addresses.allows(host)) {
      callback?.(refused(), new Socket())
      return undefined
    }
    const dialling = { ...options, lookup: this.#lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 2_000 }
    const socket = connect(dialling, callback)
    if (socket) this.lifetimes.begin(socket)
    return socket
  }
}

const keeping = ({ idle = 4_000 }: GuardOptions) => ({ keepAlive: true, timeout: idle, maxFreeSockets: 4 })

class GuardedHttpAgent extends HttpAgent {
  readonly #guard: Guard

  constructor(options: GuardOptions) {
    super(keeping(options))
    this.#guard = new Guard(options)
  }

  override createConnection(...args: Connecting): Duplex | null | undefined {
    return this.#guard.connect(args, (...dialling) => super.createConnection(...dialling))
  }

  override keepSocketAlive(socket: Duplex): void {
    // What is returned decides whether the socket is kept, though the type does not say so.
    return this.#guard.lifetimes.rest(socket) ? super.keepSocketAlive(socket) : undefined
  }

  override reuseSocket(...[socket, request]: Parameters<HttpAgent["reuseSocket"]>): void {
    this.#guard.lifetimes.work(socket)
    super.reuseSocket(socket, request)
  }
}

class GuardedHttpsAgent extends HttpsAgent {
  readonly #guard: Guard

  constructor(options: GuardOptions) {
    const trusted = options.ca === undefined ? {} : { ca: [...rootCertificates, options.ca] }
    super({ ...keeping(options), ...trusted, rejectUnauthorized: true })
    this.#guard = new Guard(options)
  }

  override createConnection(...args: Connecting): Duplex | null | undefined {
    return this.#guard.connect(args, (...dialling) => super.createConnection(...dialling))
  }

  override keepSocketAlive(socket: Duplex): void {
    return this.#guard.lifetimes.rest(socket) ? super.keepSocketAlive(socket) : undefined
  }

  override reuseSocket(...[socket, request]: Parameters<HttpsAgent["reuseSocket"]>): void {
    this.#guard.lifetimes.work(socket)
    super.reuseSocket(socket, request)
  }
}

export interface GuardedAgents {
  readonly http: HttpAgent
  /** For any client that takes an agent of `node:https`. */
  readonly https: HttpsAgent
  /** For protocols that are not HTTP. A host that is refused gives a socket that fails; whoever asked for it closes it. */
  readonly connect: (host: string, port: number) => Socket
}

const guardedConnect =
  (options: GuardOptions) =>
  (host: string, port: number): Socket => {
    // Node looks only names up: an address has to be judged here.
    if (isIP(host) !== 0 && !options.addresses.allows(host)) return new Socket().destroy(refused())
    const lookup = guardedLookup(options)
    return connect({ host, port, lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 2_000 })
  }

/** Both belong to the scope: their connections end with it. */
export const make = (options: GuardOptions): Effect.Effect<GuardedAgents, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => ({
      http: new GuardedHttpAgent(options),
      https: new GuardedHttpsAgent(options),
      connect: guardedConnect(options)
    })),
    ({ http, https }) =>
      Effect.sync(() => {
        http.destroy()
        https.destroy()
      })
  )
