/**
 * Where an issuer gives tokens to people and services: its metadata of OpenID Connect Discovery 1.0 section 3. For the API's
 * documentation only; no token is trusted because of it.
 */
import { Duration, Effect, Schema } from "effect"
import { HttpClient } from "effect/http"
import { isTrustworthy, IssuerUnavailable } from "./IssuerKeys.ts"

export interface IssuerEndpoints {
  readonly authorizationUrl: string
  readonly tokenUrl: string
}

const requestTimeout = Duration.seconds(5)

/** An address of another scheme would be a link on a page that an issuer could choose. */
const Endpoint = Schema.String.check(
  Schema.makeFilter((value: string) => URL.canParse(value) && isTrustworthy(new URL(value)), { expected: "https" })
)

const decode = Schema.decodeUnknownEffect(
  Schema.Struct({ issuer: Schema.String, authorization_endpoint: Endpoint, token_endpoint: Endpoint })
)

/** One try, of five seconds at most. */
export const discover = Effect.fn("IssuerEndpoints.discover")(function* (
  issuer: string
): Effect.fn.Return<IssuerEndpoints, IssuerUnavailable, HttpClient.HttpClient> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`
  const unavailable = (reason: string) => new IssuerUnavailable({ issuer, reason })
  const client = yield* HttpClient.HttpClient
  const metadata = yield* Effect.gen(function* () {
    const response = yield* client.get(url, { headers: { accept: "application/json" } })
    if (response.status !== 200) return yield* unavailable(`${url} answered ${response.status}`)
    return yield* decode(yield* response.json)
  }).pipe(
    Effect.catchTags({
      HttpClientError: ({ message }) => Effect.fail(unavailable(message)),
      SchemaError: ({ message }) => Effect.fail(unavailable(`${url}: ${message}`))
    }),
    Effect.timeoutOrElse({
      duration: requestTimeout,
      orElse: () => Effect.fail(unavailable(`${url} took longer than ${Duration.format(requestTimeout)}`))
    }),
    Effect.provideService(HttpClient.TracerPropagationEnabled, false)
  )
  // Section 4.3: exactly the same, or somebody else answers for it.
  if (metadata.issuer !== issuer) return yield* unavailable(`${url} is about ${JSON.stringify(metadata.issuer)}`)
  return { authorizationUrl: metadata.authorization_endpoint, tokenUrl: metadata.token_endpoint }
})
