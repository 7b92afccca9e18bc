/**
 * What a client can be told, and what holds when it is not.
 */
import { Duration, Option, Schema } from "effect"
import type { Effect } from "effect"
import { socketPath } from "@beckon/domain/InboxRpcs"
import { Position } from "@beckon/domain/Position"
import type { Backoff } from "./Backoff.ts"
import type { WebSocketConstructor } from "./Link.ts"
import type { TokenSource } from "./Token.ts"

/** Keeps the position between runs of the program, for example in `localStorage`. */
export interface PositionStorage {
  /** What was saved; anything that is not a position counts as none. */
  readonly load: Effect.Effect<unknown, unknown>
  readonly save: (position: Position) => Effect.Effect<void, unknown>
}

export interface InboxOptions {
  /** Where the server is, `http(s)://` or `ws(s)://`; the socket's path is appended unless it is there. */
  readonly url: string
  readonly token: TokenSource
  /** Resumes from here; wins over `storage`. */
  readonly position?: Position | undefined
  readonly storage?: PositionStorage | undefined
  /** False for a client that only calls and sends; default true. */
  readonly subscribe?: boolean | undefined
  /** `auto` (default): what the consumer has worked off is acknowledged. `manual`: only what `ack` says. */
  readonly acknowledge?: "auto" | "manual" | undefined
  /** Acknowledges and saves at most once in this time; default 50 ms. */
  readonly ackDelay?: Duration.Input | undefined
  /** Default: 250 ms, doubled up to 15 s, full jitter. */
  readonly backoff?: Partial<Backoff> | undefined
  /** Default: every 10 s, dead after 5 s without an answer. */
  readonly ping?: { readonly interval?: Duration.Input; readonly timeout?: Duration.Input } | undefined
  /** How long connecting may take; default 10 s. */
  readonly openTimeout?: Duration.Input | undefined
  /** How long a call waits for a connection; default 10 s. */
  readonly callTimeout?: Duration.Input | undefined
  /** How many events wait for the consumer before the link is closed for later; default 10,000. */
  readonly capacity?: number | undefined
  /** Default: the global one. */
  readonly WebSocket?: WebSocketConstructor | undefined
  /** Asks why a connect failed; default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

export interface Settings {
  readonly socketUrl: string
  readonly probeUrl: string
  readonly token: TokenSource
  readonly storage: PositionStorage | undefined
  readonly subscribe: boolean
  readonly acknowledge: "auto" | "manual"
  readonly ackDelay: Duration.Input
  readonly backoff: Backoff
  readonly ping: { readonly interval: Duration.Input; readonly timeout: Duration.Input }
  readonly openTimeout: Duration.Input
  readonly callTimeout: Duration.Duration
  readonly capacity: number
  readonly WebSocket: WebSocketConstructor
  readonly fetch: typeof globalThis.fetch
}

const withScheme = (url: string, http: "http" | "ws"): string => {
  const target = new URL(url)
  target.protocol = `${http}${/^(https|wss):$/.test(target.protocol) ? "s" : ""}:`
  if (!target.pathname.endsWith(socketPath)) target.pathname = target.pathname.replace(/\/$/, "") + socketPath
  return target.href
}

const decodeOption = Schema.decodeUnknownOption(Position)

/** A stored position, or nothing when it is none. */
export const decodePosition = (value: unknown): Position | undefined => Option.getOrUndefined(decodeOption(value))

/** Fills in the defaults; throws a `TypeError` for a malformed `url`. */
export const resolve = (options: InboxOptions): Settings => ({
  socketUrl: withScheme(options.url, "ws"),
  probeUrl: withScheme(options.url, "http"),
  token: options.token,
  storage: options.storage,
  subscribe: options.subscribe ?? true,
  acknowledge: options.acknowledge ?? "auto",
  ackDelay: options.ackDelay ?? "50 millis",
  backoff: { base: options.backoff?.base ?? "250 millis", max: options.backoff?.max ?? "15 seconds" },
  ping: { interval: options.ping?.interval ?? "10 seconds", timeout: options.ping?.timeout ?? "5 seconds" },
  openTimeout: options.openTimeout ?? "10 seconds",
  callTimeout: Duration.fromInputUnsafe(options.callTimeout ?? "10 seconds"),
  capacity: options.capacity ?? 10_000,
  WebSocket: options.WebSocket ?? globalThis.WebSocket,
  // A browser's fetch must not be called as a method of something else.
  fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init))
})
