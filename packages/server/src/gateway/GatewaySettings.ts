/**
 * The limits of sockets; the server's configuration gives the values.
 */
import { Context, Duration, Layer } from "effect"

export interface GatewaySettingsShape {
  /** Bytes of one message from a client; a larger one ends the socket. */
  readonly maxMessageBytes: number
  /** Messages a client may send in one second; more end the socket. */
  readonly maxMessagesPerSecond: number
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
  /** Origins of browsers that may connect; all when absent. */
  readonly allowedOrigins: ReadonlyArray<string> | undefined
}

export const defaults: GatewaySettingsShape = {
  maxMessageBytes: 64 * 1024,
  maxMessagesPerSecond: 200,
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
