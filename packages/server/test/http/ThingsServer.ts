/**
 * A small API behind everything that every call gets, over real HTTP: what its handlers were asked is counted, and they wait where
 * a test holds them.
 */
import { Context, DateTime, Deferred, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import type { HttpMethod } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema
} from "effect/http-api"
import { Authorization } from "@beckon/domain/api/Authorization"
import { StreamedBody } from "@beckon/domain/api/StreamedBody"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { RequiredScope } from "@beckon/domain/Policy"
import type { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import type { TokenBuckets } from "@beckon/domain/ports/TokenBuckets"
import { TokenIssuer } from "@beckon/domain/ports/Tokens"
import { BadRequest, Conflict, PreconditionFailed, TooManyRequests, Unavailable } from "@beckon/domain/Problem"
import type { TenantSettings } from "@beckon/domain/Tenant"
import * as MemoryIdempotencyStore from "@beckon/infra/memory/MemoryIdempotencyStore"
import * as MemoryTokenBuckets from "@beckon/infra/memory/MemoryTokenBuckets"
import * as JwtTokens from "@beckon/infra/security/JwtTokens"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import * as AuthorizationLive from "../../src/api/AuthorizationLive.ts"
import { CallGuard } from "../../src/http/CallGuard.ts"
import * as Conditional from "../../src/http/Conditional.ts"
import { chargeRows } from "../../src/http/CurrentCall.ts"
import * as Edge from "../../src/http/Edge.ts"
import { HttpSettings } from "../../src/http/HttpSettings.ts"
import type { HttpSettingsShape } from "../../src/http/HttpSettings.ts"
import { Idempotency } from "../../src/http/Idempotency.ts"
import { RateLimits } from "../../src/http/RateLimits.ts"
import { Tenants } from "../../src/tenants/Tenants.ts"

const Thing = Schema.Struct({ name: Schema.String, made: Schema.Int })

class ThingsApi extends HttpApi.make("things")
  .add(
    HttpApiGroup.make("things")
      .add(
        HttpApiEndpoint.post("make", "/", {
          payload: Schema.Struct({ name: Schema.String }),
          success: Thing.pipe(HttpApiSchema.status(201)),
          error: [Conflict, Unavailable]
        }),
        HttpApiEndpoint.post("rows", "/rows", {
          payload: Schema.Array(Schema.String),
          success: HttpApiSchema.NoContent,
          error: TooManyRequests
        }),
        HttpApiEndpoint.post("upload", "/upload", {
          success: Schema.Struct({ bytes: Schema.Int })
        }).annotate(StreamedBody, ["text/csv"]),
        HttpApiEndpoint.get("read", "/:name", { params: { name: Schema.String }, success: Thing }),
        HttpApiEndpoint.put("change", "/:name", {
          params: { name: Schema.String },
          success: Thing,
          error: [BadRequest, PreconditionFailed]
        })
      )
      .middleware(Authorization)
      .annotate(RequiredScope, "inbox:write")
      .prefix("/api/things")
  )
  .middleware(HttpApiMiddleware.ProblemDetails) {}

/** What a test sees of the handlers, and how it holds them. */
export interface Handled {
  /** Names, in the order in which they came. */
  readonly asked: Array<string>
  readonly origins: Array<CallOrigin>
  /** `make` of this name waits; `started` tells that it does. */
  readonly held: Map<string, { readonly started: Deferred.Deferred<void>; readonly go: Deferred.Deferred<void> }>
  version: number
}

export class Handlers extends Context.Service<Handlers, Handled>()("@beckon/server/test/http/Handlers") {}

export const hold = Effect.fnUntraced(function* (name: string) {
  const { held } = yield* Handlers
  const latch = { started: yield* Deferred.make<void>(), go: yield* Deferred.make<void>() }
  held.set(name, latch)
  return latch
})

const layerHandlers = HttpApiBuilder.group(
  ThingsApi,
  "things",
  Effect.fn(function* (handlers) {
    const handled = yield* Handlers
    return handlers.handleAll({
      make: ({ payload: { name } }) =>
        Effect.gen(function* () {
          handled.asked.push(name)
          handled.origins.push(yield* CallOrigin)
          yield* Effect.logInfo(`making ${name}`)
          const latch = handled.held.get(name)
          if (latch !== undefined) {
            yield* Deferred.succeed(latch.started, undefined)
            yield* Deferred.await(latch.go)
          }
          const times = handled.asked.filter((one) => one === name).length
          if (name === "taken") return yield* new Conflict({ detail: "name: taken" })
          if (name === "flaky" && times === 1) return yield* new Unavailable({ detail: "not now" })
          if (name === "broken" && times === 1) return yield* Effect.die("broken")
          return { name: name === "large" ? "x".repeat(300_000) : name, made: times }
        }),
      rows: ({ payload }) => chargeRows(payload.length),
      upload: ({ request }) =>
        Effect.map(Effect.orDie(request.arrayBuffer), ({ byteLength }) => {
          handled.asked.push("upload")
          return { bytes: byteLength }
        }),
      read: ({ params: { name } }) =>
        Effect.gen(function* () {
          yield* Conditional.tag(handled.version)
          return { name, made: handled.version }
        }),
      change: ({ params: { name } }) =>
        Effect.gen(function* () {
          const expected = yield* Conditional.expectedVersion
          if (typeof expected === "number" && expected !== handled.version) {
            return yield* Conditional.failed(handled.version)
          }
          handled.version += 1
          yield* Conditional.tag(handled.version)
          return { name, made: handled.version }
        })
    })
  })
)

const beginning = DateTime.makeUnsafe(0)

const secret = Redacted.make(new TextEncoder().encode("a secret of the tests, 32 bytes or more"))

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

export interface Call {
  readonly method?: HttpMethod.HttpMethod
  readonly body?: unknown
  readonly raw?: { readonly body: string; readonly type: string }
  readonly headers?: Readonly<Record<string, string>>
  /** `ada` of `acme`, a user, when absent; `null` for nobody. */
  readonly as?: { readonly tenant?: string; readonly user?: string; readonly roles?: ReadonlyArray<string> } | null
}

export class ThingsServer extends Context.Service<
  ThingsServer,
  { readonly call: (path: string, call?: Call) => Effect.Effect<Answer>; readonly url: string }
>()("@beckon/server/test/http/ThingsServer") {}

export const call = (path: string, options?: Call) => ThingsServer.use((server) => server.call(path, options))

export const post = (body: unknown, key?: string, other: Call = {}) =>
  call("/api/things", {
    body,
    ...other,
    headers: { ...other.headers, ...(key === undefined ? {} : { "idempotency-key": key }) }
  })

const layerCalls = Layer.effect(
  ThingsServer,
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const issuer = yield* TokenIssuer
    const client = yield* HttpClient.HttpClient
    const url = HttpServer.formatAddress(address)
    return {
      url,
      call: Effect.fnUntraced(function* (path, { as = {}, body, headers = {}, method, raw } = {}) {
        let request = HttpClientRequest.make(method ?? (body === undefined && raw === undefined ? "GET" : "POST"))(
          url + path
        ).pipe(HttpClientRequest.setHeaders(headers))
        if (as !== null) {
          const claims = {
            sub: UserId.make(as.user ?? "ada"),
            tenant: TenantId.make(as.tenant ?? "acme"),
            roles: as.roles ?? ["user"]
          }
          request = HttpClientRequest.bearerToken(request, yield* issuer.issue(claims, Duration.hours(1)))
        }
        if (body !== undefined) request = HttpClientRequest.bodyJsonUnsafe(request, body)
        if (raw !== undefined) request = HttpClientRequest.bodyText(request, raw.body, raw.type)
        // The client's own span would go out instead of what a test sends.
        const answer = yield* Effect.provideService(client.execute(request), HttpClient.TracerPropagationEnabled, false)
        return { status: answer.status, headers: answer.headers, text: yield* answer.text }
      }, Effect.orDie)
    }
  })
)

const layerTenants = (settings: Readonly<Record<string, TenantSettings>>) =>
  Layer.succeed(Tenants, {
    get: (id) =>
      Effect.succeed({
        id,
        name: id,
        status: "active",
        settings: settings[id] ?? {},
        version: 0,
        createdAt: beginning,
        updatedAt: beginning
      }),
    changed: () => Effect.void
  })

const layerPlainRoutes = HttpRouter.use((router) =>
  Effect.all([
    router.add("GET", "/page", HttpServerResponse.html("<!doctype html><title>Page</title>")),
    router.add("POST", "/dev/token", HttpServerResponse.text("a token"))
  ])
)

/** These take more than any handler reads at once. */
const uploads = new Map(
  ["/api/things", "/api/things/upload"].map((path) => [
    path,
    { maxBodyBytes: 2 ** 23, bodyTimeout: Duration.minutes(1) }
  ])
)

export interface Options {
  readonly settings?: Partial<HttpSettingsShape>
  readonly tenants?: Readonly<Record<string, TenantSettings>>
  readonly buckets?: Layer.Layer<TokenBuckets>
  readonly idempotency?: Layer.Layer<IdempotencyStore>
}

export const layerOf = ({ buckets, idempotency, settings, tenants = {} }: Options = {}) =>
  layerCalls.pipe(
    Layer.provide(
      HttpRouter.serve(
        Layer.mergeAll(
          HttpApiBuilder.layer(ThingsApi).pipe(Layer.provide(layerHandlers)),
          layerPlainRoutes,
          Edge.layer
        ),
        { disableLogger: true, disableListenLog: true }
      )
    ),
    Layer.provide(UwsHttpServer.layer()),
    Layer.provideMerge(UwsServer.layer({ host: "127.0.0.1", port: 0, uploads })),
    Layer.provide(AuthorizationLive.layer),
    Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true })),
    Layer.provide(CallGuard.layer.pipe(Layer.provide(RateLimits.layer))),
    Layer.provide(Idempotency.layer),
    Layer.provide([
      HttpSettings.layer(settings),
      layerTenants(tenants),
      buckets ?? MemoryTokenBuckets.layer,
      JwtTokens.layerVerifier(secret),
      JwtTokens.layerIssuer(secret),
      FetchHttpClient.layer
    ]),
    Layer.provideMerge(idempotency ?? MemoryIdempotencyStore.layer),
    Layer.provideMerge(
      Layer.sync(Handlers, () => ({ asked: [], origins: [], held: new Map<string, never>(), version: 1 }))
    )
  )
