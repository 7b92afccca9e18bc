/**
 * The limits of sockets; the server's configuration gives the values.
 */
import { Context, Duration, Layer } from "effect"
import type { RateLimit } from "@beckon/domain/Tenant"

export interface GatewaySettingsShape {
  /** Bytes of one message from a client; a larger one ends the socket. */
  readonly maxMessageBytes: number
  /** Messages from one socket, for tenants that set nothing; more end it. Absent: no limit. */
  readonly messages: RateLimit | undefined
  /** Bytes from one socket, in the same way. */
  readonly bytes: RateLimit | undefined
  /** New sockets of one tenant that sets nothing; more are refused with 429. Absent: no limit. */
  readonly connects: RateLimit | undefined
  /** New sockets of one user. */
  readonly connectsOfUser: RateLimit | undefined
  /** Calls of one socket that may be under way. */
  readonly maxCalls: number
  /** Bytes that may wait for a slow client; more end the socket, and the client resumes. */
  readonly maxBufferedBytes: number
  /** A resume waits for the socket whenever this many bytes wait in it. */
  readonly pacedBytes: number
  /** Seconds without a sign of life after which a socket is dead; a multiple of 4. */
  readonly idleTimeoutSeconds: number
  /** Over how long a draining node closes its sockets, so that their clients do not come to the others all at once. */
  readonly drainOver: Duration.Duration
  /** Origins of browsers that may connect to tenants that set none; all when absent. */
  readonly allowedOrigins: ReadonlyArray<string> | undefined
}

export const defaults: GatewaySettingsShape = {
  maxMessageBytes: 64 * 1024,
  messages: { perSecond: 200, burst: 200 },
  bytes: { perSecond: 1_000_000, burst: 4_000_000 },
  connects: { perSecond: 5_000, burst: 50_000 },
  connectsOfUser: { perSecond: 20, burst: 500 },
  maxCalls: 64,
  maxBufferedBytes: 1024 * 1024,
  pacedBytes: 64 * 1024,
  idleTimeoutSeconds: 32,
  drainOver: Duration.zero,
  allowedOrigins: undefined
}

export class GatewaySettings extends Context.Service<GatewaySettings, GatewaySettingsShape>()(
  "@beckon/server/gateway/GatewaySettings"
) {
  static readonly layer = (settings: Partial<GatewaySettingsShape> = {}): Layer.Layer<GatewaySettings> =>
    Layer.succeed(GatewaySettings, { ...defaults, ...settings })
}
