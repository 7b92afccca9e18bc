/**
 * The document and the page of a server that trusts an issuer: they say where people and services get tokens.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { createServer } from "node:http"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { call, jwtSecret } from "../road/Road.ts"

/** Answers metadata once it is told to, and 503 before. */
const issuerOn = (port: number) =>
  Effect.gen(function* () {
    const url = `http://127.0.0.1:${port}`
    const issuer = { url, isUp: false }
    const metadata = {
      issuer: url,
      jwks_uri: `${url}/keys`,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`
    }
    const server = createServer((request, response) => {
      const body = request.url === "/keys" ? { keys: [] } : metadata
      response.writeHead(issuer.isUp ? 200 : 503, { "content-type": "application/json" })
      response.end(JSON.stringify(body))
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    return issuer
  })

const schemeOf = (url: string) =>
  Effect.map(call(url, "/openapi.json"), ({ body }) => body.components.securitySchemes.oidc)

const beckonWith = (issuer: string) =>
  BeckonProcess.start({ env: { BECKON_JWT_SECRET: jwtSecret, OIDC_ISSUER: issuer, OIDC_AUDIENCE: "beckon" } })

it.live(
  "a server names its issuer's endpoints in the document and on the page",
  () =>
    Effect.gen(function* () {
      const issuer = yield* issuerOn(yield* BeckonProcess.freePort)
      issuer.isUp = true
      const { url } = yield* beckonWith(issuer.url)
      const { flows, type } = yield* schemeOf(url)
      assert.strictEqual(type, "oauth2")
      assert.strictEqual(flows.authorizationCode.authorizationUrl, `${issuer.url}/authorize`)
      assert.strictEqual(flows.clientCredentials.tokenUrl, `${issuer.url}/token`)
      const page = yield* call(url, "/docs")
      assert.include(page.body, `${issuer.url}/authorize`)
      assert.include(page.body, "x-usePkce")
      const document = yield* call(url, "/openapi.json")
      const etag = document.headers.get("etag") ?? ""
      assert.strictEqual((yield* call(url, "/openapi.json", { headers: { "if-none-match": etag } })).status, 304)
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "a server starts although its issuer does not answer, and learns its endpoints when it does",
  () =>
    Effect.gen(function* () {
      const issuer = yield* issuerOn(yield* BeckonProcess.freePort)
      const { url } = yield* beckonWith(issuer.url)
      const { openIdConnectUrl, type } = yield* schemeOf(url)
      assert.deepStrictEqual(
        [type, openIdConnectUrl],
        ["openIdConnect", `${issuer.url}/.well-known/openid-configuration`]
      )
      issuer.isUp = true
      const learned = yield* Effect.repeat(schemeOf(url), {
        until: (scheme) => scheme.type === "oauth2",
        schedule: Schedule.spaced("250 millis").pipe(Schedule.upTo({ duration: "45 seconds" }))
      })
      assert.isDefined(learned)
      assert.strictEqual((yield* schemeOf(url)).type, "oauth2")
    }).pipe(Effect.scoped),
  90_000
)
