/**
 * A server that trusts a real OpenID Connect issuer, whose keys change while the server runs.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { decodeProtectedHeader } from "jose"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { bareSocket, call, jwtSecret, lastingPort, token } from "../road/Road.ts"
import * as Issuer from "./Issuer.ts"

const notification = { type: "order_created", title: "New Order", message: "Accept now!" }

it.live(
  "people and services come with tokens of an issuer, before and after it changes its key, and while it is away",
  () =>
    Effect.gen(function* () {
      const port = yield* lastingPort
      const issuer = `http://127.0.0.1:${port}`
      const [one, two] = [yield* Issuer.newKey("one"), yield* Issuer.newKey("two")]
      const start = (...keys: Parameters<typeof Issuer.start>[1]) =>
        Effect.gen(function* () {
          const scope = yield* Scope.fork(yield* Effect.scope)
          yield* Issuer.start(port, keys).pipe(Effect.provideService(Scope.Scope, scope))
          return Scope.close(scope, Exit.void)
        })
      let stop = yield* start(one)

      const beckon = yield* BeckonProcess.start({
        env: {
          BECKON_JWT_SECRET: jwtSecret,
          BECKON_OWN_TOKENS: "false",
          OIDC_ISSUER: issuer,
          OIDC_AUDIENCE: "beckon",
          OIDC_ROLE_MAP: JSON.stringify({ sender: "service", customer: "user" })
        }
      })
      const get = (bearer: string) => call(beckon.url, "/api/v1/users/me/notifications", { token: bearer })
      const send = (bearer: string) =>
        call(beckon.url, "/api/v1/services/notifications/send", {
          token: bearer,
          body: { user_id: "ada", ...notification }
        })

      // A service by client credentials, a person by authorization code with PKCE.
      const shop = yield* Issuer.serviceToken(issuer)
      const ada = yield* Issuer.personToken(issuer, "ada")
      const bob = yield* Issuer.personToken(issuer, "bob")
      expect(yield* send(shop)).toMatchObject({ status: 202 })
      const mine = yield* get(ada)
      expect([mine.status, mine.body.data.length]).toEqual([200, 1])
      expect((yield* get(bob)).body.data).toEqual([])
      expect((yield* send(ada)).status).toBe(403)
      const socket = yield* bareSocket(beckon.url, ada)
      expect(yield* socket.rpc("UnreadCount")).toMatchObject({ _tag: "Success", value: { unread: 1 } })

      // What the issuer grants limits what its roles may do.
      const readOnly = yield* Issuer.serviceToken(issuer, "urn:beckon", "inbox:read")
      expect((yield* send(readOnly)).status).toBe(403)
      expect((yield* get(readOnly)).status).toBe(200)

      // Another audience, the deployment's own secret, and a signature that is none.
      const elsewhere = yield* Issuer.serviceToken(issuer, "urn:other")
      expect((yield* send(elsewhere)).body.detail).toBe("token: the claim aud is not acceptable")
      const own = token({ sub: "shop", roles: ["service"] })
      expect((yield* send(own)).body.detail).toBe("token: its issuer is not trusted here")
      const [head = "", body = "", signature = ""] = shop.split(".")
      const forged = `${head}.${body}.${signature.split("").toReversed().join("")}`
      expect((yield* send(forged)).body.detail).toBe("token: the signature is not ours")
      expect(yield* Effect.flip(bareSocket(beckon.url, forged))).toMatchObject({ code: 1006 })

      // The new key signs, the old one is still published.
      yield* stop
      stop = yield* start(two, one)
      const fresh = yield* Issuer.serviceToken(issuer)
      expect(decodeProtectedHeader(fresh).kid).toBe("two")
      const answers = yield* Effect.all(
        Array.from({ length: 20 }, () => send(fresh)),
        { concurrency: "unbounded" }
      )
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202))
      expect((yield* send(shop)).status).toBe(202)
      expect((yield* get(ada)).status).toBe(200)
      expect(yield* Issuer.reads(issuer)).toBe(1)

      // Tokens whose key nobody has cost the issuer a few requests, whoever sends how many.
      const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
      const strays = Array.from(
        { length: 100 },
        (_, index) => `${part({ alg: "ES256", kid: `kid-${index}` })}.${part({ iss: issuer })}.${part("signature")}`
      )
      const refused = yield* Effect.forEach(strays, send, { concurrency: 10 })
      expect(refused.every(({ status }) => status === 401 || status === 429)).toBe(true)
      expect(yield* Issuer.reads(issuer)).toBeLessThanOrEqual(5)

      // Without the issuer, what it has signed is still good.
      yield* stop
      const without = yield* get(ada)
      expect([200, 429]).toContain(without.status)
      expect(yield* socket.rpc("UnreadCount")).toMatchObject({ _tag: "Success" })
    }).pipe(Effect.scoped),
  120_000
)
