/**
 * The HTTP API over real HTTP, on stores in memory and real mailboxes, with tokens of two tenants.
 */
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpRouter, HttpServer } from "effect/http"
import type { HttpMethod } from "effect/http"
import type { HttpApi, HttpApiGroup } from "effect/http-api"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { TokenIssuer } from "@beckon/domain/ports/Tokens"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryIdempotencyStore from "@beckon/infra/memory/MemoryIdempotencyStore"
import * as JwtTokens from "@beckon/infra/security/JwtTokens"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import * as AuthorizationLive from "../../src/api/AuthorizationLive.ts"
import { Audit } from "../../src/audit/Audit.ts"
import * as Edge from "../../src/http/Edge.ts"
import { HttpSettings } from "../../src/http/HttpSettings.ts"
import { Idempotency } from "../../src/http/Idempotency.ts"
import { CallGuard } from "../../src/http/CallGuard.ts"
import { routerConfig } from "../../src/api/Router.ts"

const secret = Redacted.make(new TextEncoder().encode("a secret of the tests, 32 bytes or more"))

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly type: string
  readonly text: string
  // Tests look into answers of any shape.
  // oxlint-disable-next-line typescript/no-explicit-any -- the assertions are what checks the shape
  readonly body: any
}

export interface Call {
  readonly method?: HttpMethod.HttpMethod
  readonly body?: unknown
  /** Sent as it is. */
  readonly raw?: { readonly body: string | Uint8Array; readonly type: string }
  readonly headers?: Readonly<Record<string, string>>
  /** `service` of the tenant `acme` when absent; `null` for none. */
  readonly as?: { readonly tenant?: string; readonly user?: string; readonly role?: string } | null
}

const decodeJson = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Unknown))

export class ApiServer extends Context.Service<
  ApiServer,
  {
    readonly url: string
    readonly call: (path: string, call?: Call) => Effect.Effect<Answer>
    readonly tokenOf: (caller: NonNullable<Call["as"]>) => Effect.Effect<string>
  }
>()("@beckon/server/test/ApiServer") {}

const layerCalls = Layer.effect(
  ApiServer,
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const issuer = yield* TokenIssuer
    const client = yield* HttpClient.HttpClient
    const url = HttpServer.formatAddress(address)
    const tokenOf = ({ role, tenant = "acme", user }: NonNullable<Call["as"]>) =>
      issuer.issue(
        {
          sub: UserId.make(user ?? "shop"),
          tenant: TenantId.make(tenant),
          roles: [role ?? (user === undefined ? "service" : "user")]
        },
        Duration.hours(1)
      )
    const call = Effect.fnUntraced(function* (path: string, { as = {}, body, headers = {}, method, raw }: Call = {}) {
      let request = HttpClientRequest.make(method ?? (body === undefined && raw === undefined ? "GET" : "POST"))(
        url + path
      ).pipe(HttpClientRequest.setHeaders(headers))
      if (as !== null) request = HttpClientRequest.bearerToken(request, yield* tokenOf(as))
      if (body !== undefined) request = HttpClientRequest.bodyJsonUnsafe(request, body)
      if (raw !== undefined) {
        request =
          typeof raw.body === "string"
            ? HttpClientRequest.bodyText(request, raw.body, raw.type)
            : HttpClientRequest.bodyUint8Array(request, raw.body, raw.type)
      }
      // The client's own span would go out instead of what a test sends.
      const answer = yield* Effect.provideService(client.execute(request), HttpClient.TracerPropagationEnabled, false)
      const text = yield* answer.text
      const type = answer.headers["content-type"] ?? ""
      return {
        status: answer.status,
        headers: answer.headers,
        type,
        text,
        body: /json/.test(type) ? decodeJson(text) : undefined
      }
    }, Effect.orDie)
    return { url, call, tokenOf }
  })
)

export const call = (path: string, options?: Call) => Effect.flatMap(ApiServer, (server) => server.call(path, options))

/** Serves these groups of the API with their handlers. */
export const layerOf = <Id extends string, Groups extends HttpApiGroup.Constraint, A, E, R>(
  api: HttpApi.HttpApi<Id, Groups>,
  handlers: Layer.Layer<A, E, R>
) =>
  layerCalls.pipe(
    Layer.provideMerge(
      HttpRouter.serve(Layer.mergeAll(HttpApiBuilder.layer(api).pipe(Layer.provide(handlers)), Edge.layer), {
        disableLogger: true,
        disableListenLog: true,
        routerConfig
      })
    ),
    Layer.provide(Idempotency.layer.pipe(Layer.provide(MemoryIdempotencyStore.layer))),
    Layer.provide(HttpSettings.layer()),
    Layer.provide(Audit.layer.pipe(Layer.provide(MemoryAuditLog.layer))),
    Layer.provide(UwsHttpServer.layer()),
    // More than what any part of the API takes for itself.
    Layer.provide(UwsServer.layer({ host: "127.0.0.1", port: 0, maxBodyBytes: 4_194_304 })),
    Layer.provide(AuthorizationLive.layer.pipe(Layer.provide(CallGuard.layerOpen))),
    Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true })),
    Layer.provide([JwtTokens.layerVerifier(secret), JwtTokens.layerIssuer(secret), FetchHttpClient.layer])
  )
