/**
 * How calls are limited, repeated and shown to browsers; the server's configuration gives the values.
 */
import { Context, Duration, Layer } from "effect"
import type { IpNetwork } from "effect/net"
import type { RateLimit } from "@beckon/domain/Tenant"

export interface HttpSettingsShape {
  /** Networks of proxies whose `X-Forwarded-*` are believed. */
  readonly trustedProxies: ReadonlyArray<IpNetwork.IpNetwork>
  /** Origins of pages of tenants that say nothing themselves; all when absent. */
  readonly allowedOrigins: ReadonlyArray<string> | undefined
  /** For tenants that set none; absent: no limit. */
  readonly limits: {
    readonly tenant: RateLimit | undefined
    readonly key: RateLimit | undefined
    readonly user: RateLimit | undefined
    /** Credentials that are refused, by address. */
    readonly failures: RateLimit | undefined
  }
  /** For how long the answer of a call with an `Idempotency-Key` is told again. */
  readonly answersKeptFor: Duration.Duration
  /** How long a node that is silent keeps the calls that it was carrying out. */
  readonly claimLease: Duration.Duration
}

export const defaults: HttpSettingsShape = {
  trustedProxies: [],
  allowedOrigins: undefined,
  limits: {
    tenant: { perSecond: 10_000, burst: 20_000 },
    key: { perSecond: 5_000, burst: 10_000 },
    user: { perSecond: 100, burst: 1_000 },
    failures: { perSecond: 20, burst: 500 }
  },
  answersKeptFor: Duration.hours(24),
  claimLease: Duration.seconds(60)
}

export class HttpSettings extends Context.Service<HttpSettings, HttpSettingsShape>()(
  "@beckon/server/http/HttpSettings"
) {
  static readonly layer = (settings: Partial<HttpSettingsShape> = {}): Layer.Layer<HttpSettings> =>
    Layer.succeed(HttpSettings, { ...defaults, ...settings })
}
