/**
 * `/openapi.json` and the interactive page `/docs`, with the ways to a token of this deployment.
 *
 * **Details**
 *
 * Where the deployment trusts an issuer, its endpoints are asked for when the server starts, for a few seconds at most. An issuer
 * that does not answer by then is asked again in the background; until it does the document says only where it would tell them.
 */
import { Duration, Effect, Fiber, Layer, Schedule } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import * as OpenApiDocument from "@beckon/domain/api/OpenApiDocument"
import { discover } from "@beckon/infra/security/IssuerEndpoints"
import * as Pages from "./Pages.ts"

const waitAtStart = Duration.seconds(3)
const askAgainEvery = Schedule.spaced("10 seconds")

/** The page works without the network, and asks for the bearer token. */
const scalar = {
  withDefaultFonts: false,
  favicon: "/favicon.svg",
  authentication: { preferredSecurityScheme: "bearer" },
  // Scalar's own bar for sharing and SDKs; effect's type of its configuration does not know it yet.
  showDeveloperTools: "never"
}

const encoder = new TextEncoder()

/** Made when it is first asked for: it takes a moment. */
const documentOf = Effect.fnUntraced(function* (issuer: OpenApiDocument.Issuer | undefined) {
  const json = yield* Effect.cached(
    Effect.sync(() => Pages.prepare(encoder.encode(JSON.stringify(OpenApiDocument.make(BeckonApi, issuer)))))
  )
  // A router of its own: the page of a later document takes the place of this one.
  const pages = yield* HttpRouter.make
  yield* Layer.build(HttpApiScalar.layer(OpenApiDocument.annotate(BeckonApi, issuer), { scalar })).pipe(
    Effect.provideService(HttpRouter.HttpRouter, pages)
  )
  return { json, page: pages.asHttpEffect() }
})

/** `issuer` is the one that people are sent to. */
export const layer = ({ issuer }: { readonly issuer: string | undefined }) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      let current = yield* documentOf(issuer === undefined ? undefined : { url: issuer })
      if (issuer !== undefined) {
        const learn = Effect.gen(function* () {
          current = yield* documentOf({ url: issuer, endpoints: yield* discover(issuer) })
        })
        const asking = yield* Effect.forkScoped(
          Effect.retry(
            Effect.tapError(learn, ({ message }) => Effect.logDebug("The document lacks the issuer", message)),
            askAgainEvery
          )
        )
        yield* Effect.timeoutOption(Fiber.await(asking), waitAtStart)
      }
      yield* router.add("GET", "/openapi.json", (request) =>
        Effect.flatMap(
          Effect.suspend(() => current.json),
          (ready) => Effect.succeed(Pages.respond(ready, "application/json", request, {}))
        )
      )
      yield* router.add(
        "GET",
        "/docs",
        Effect.suspend(() => current.page)
      )
    })
  )
