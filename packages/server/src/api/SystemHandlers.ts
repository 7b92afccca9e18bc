/**
 * `/health/*`, and in embedded mode `/dev/*`.
 */
import { Context, DateTime, Duration, Effect, Layer, Option } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { TenantId } from "@beckon/domain/Identifiers"
import { NotFound } from "@beckon/domain/Problem"
import { TokenIssuer } from "@beckon/domain/ports/Tokens"
import { DatabaseInfo } from "@beckon/infra/postgres/DatabaseInfo"
import { probeTimeout, Readiness } from "./Readiness.ts"

const health = HttpApiBuilder.group(
  BeckonApi,
  "health",
  Effect.fn(function* (handlers) {
    const info = yield* DatabaseInfo
    const readiness = yield* Readiness
    const probe = Effect.all([info.latencyMs, info.tableCount]).pipe(Effect.timeout(probeTimeout), Effect.option)
    return handlers.handleAll({
      live: () => Effect.succeed({ status: "live" as const }),
      ready: () =>
        Effect.gen(function* () {
          const [probed, others] = yield* Effect.all([probe, readiness.reasons], { concurrency: "unbounded" })
          const reasons = Option.isSome(probed) ? others : ["The database does not answer", ...others]
          const database = {
            kind: info.kind,
            host: info.host,
            port: info.port,
            name: info.name,
            poolSize: info.poolSize,
            connectionsInUse: yield* info.connectionsInUse,
            latencyMs: Option.getOrNull(Option.map(probed, ([latency]) => Math.round(latency * 1000) / 1000)),
            tableCount: Option.getOrNull(Option.map(probed, ([, tables]) => tables))
          }
          return reasons.length === 0
            ? { status: "ready" as const, database }
            : { status: "not_ready" as const, reasons, database }
        })
    })
  })
)

/** Whether `/dev/token` exists: only with the embedded database. */
export class DevTokens extends Context.Service<DevTokens, { readonly enabled: boolean }>()(
  "@beckon/server/api/DevTokens"
) {
  static readonly layer = (enabled: boolean) => Layer.succeed(DevTokens, { enabled })
}

const isLoopback = (address: string): boolean =>
  address === "::1" ||
  /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address) ||
  address === "0000:0000:0000:0000:0000:0000:0000:0001"

const lifetime = Duration.hours(12)

const dev = HttpApiBuilder.group(
  BeckonApi,
  "dev",
  Effect.fn(function* (handlers) {
    const { enabled } = yield* DevTokens
    const issuer = yield* TokenIssuer
    return handlers.handleAll({
      token: ({ payload }) =>
        Effect.gen(function* () {
          const request = yield* HttpServerRequest.HttpServerRequest
          // A request that a proxy forwards comes from the proxy's machine, not from this one.
          const forwarded =
            request.headers["x-forwarded-for"] !== undefined || request.headers["forwarded"] !== undefined
          const here = Option.exists(request.remoteAddress, isLoopback)
          // A page that was made to resolve to this machine (DNS rebinding) comes under its own name.
          const named = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i.test(request.headers["host"] ?? "")
          if (!enabled || forwarded || !here || !named) return yield* new NotFound({ detail: "There is no such path." })
          const token = yield* issuer.issue(
            {
              sub: payload.sub,
              tenant: payload.tenant ?? TenantId.make("default"),
              roles: payload.roles ?? ["user"],
              ...(payload.name === undefined ? {} : { name: payload.name })
            },
            lifetime
          )
          return { token, expiresAt: DateTime.addDuration(yield* DateTime.now, lifetime) }
        })
    })
  })
)

export const layer = Layer.merge(health, dev)
