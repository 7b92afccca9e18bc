/**
 * The keys of secrets at rest are exchanged while a server on PostgreSQL sends: each kind of secret still does its work, first
 * beside the rotation, and in the end without the former key.
 */
import { expect, layer } from "@effect/vitest"
import { Data, Effect, Exit, Fiber, Layer, Redacted, Schedule, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Webhook } from "standardwebhooks"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { freshDatabase } from "../../support/services/Services.ts"
import { call, jwtSecret, token } from "../road/Road.ts"
import type { Answer } from "../road/Road.ts"

class Unexpected extends Data.TaggedError("Unexpected")<{ readonly what: string; readonly answer: unknown }> {}

interface Seen {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The tenant's SMS provider, user service and webhook receiver in one; it takes everything. */
const outside = Effect.gen(function* () {
  const seen: Array<Seen> = []
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { url: path = "" } = request
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      seen.push({ path, headers, body: Buffer.concat(chunks).toString("utf8") })
      const answer = path.startsWith("/users")
        ? { data: [{ user_id: "ada", phone: "+4915112345678" }] }
        : { sid: `SM${seen.length}`, status: "queued", error_code: null }
      response.writeHead(path.startsWith("/users") ? 200 : 201, { "content-type": "application/json" })
      response.end(JSON.stringify(answer))
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
})

const admin = token({ sub: "boss", tenant: "acme", roles: ["admin"] })
const ada = token({ sub: "ada", tenant: "acme" })

const api = Effect.fnUntraced(function* (url: string, path: string, body?: unknown, method?: string, as = admin) {
  const options = { token: as, ...(method && { method }), ...(body === undefined ? {} : { body }) }
  const answer = yield* call(url, `/api/v1${path}`, options)
  if (answer.status >= 300) return yield* new Unexpected({ what: path, answer: answer.body })
  const data: Answer["body"] = answer.body.data
  return data
})

const patience = Schedule.upTo(Schedule.spaced("50 millis"), { times: 1_200 })

/** Sends over a channel and waits until its provider has taken it: the secrets that it needs were opened. */
const sent = Effect.fnUntraced(function* (url: string, channel: string) {
  const { id } = yield* api(url, "/notifications", {
    user_id: "ada",
    notification_type: "test",
    title: "Hello",
    message: "Hello",
    channels: [channel]
  })
  const stateNow = Effect.map(api(url, `/notifications/${id}`), ({ channels }) => channels[channel])
  const last = yield* Effect.repeat(stateNow, { schedule: patience, until: (found) => found?.state === "sent" })
  expect(last?.state, JSON.stringify(last)).toBe("sent")
  return String(id)
})

interface Kept {
  readonly keyId: string
}

const [keyA, keyB] = ["a", "b"].map((id) => `${id}:${randomBytes(32).toString("hex")}`)

layer(Layer.empty, { excludeTestServices: true })("keys of secrets at rest", (it) => {
  it.effect(
    "are exchanged beside a server that sends, and the former one is needed no more",
    () =>
      Effect.gen(function* () {
        const { url: database } = yield* freshDatabase
        const there = yield* outside
        const dataDir = yield* BeckonProcess.temporaryFolder
        const envOf = (...keys: ReadonlyArray<string | undefined>) => ({
          BECKON_JWT_SECRET: jwtSecret,
          DATABASE_URL: Redacted.value(database),
          HOST: "127.0.0.1",
          BECKON_KEYS: keys.join(","),
          WEBHOOK_ALLOWED_NETWORKS: "127.0.0.0/8"
        })
        const start = Effect.fnUntraced(function* (...keys: ReadonlyArray<string | undefined>) {
          const scope = yield* Scope.fork(yield* Effect.scope)
          const server = yield* BeckonProcess.start({ dataDir, env: envOf(...keys) }).pipe(
            Effect.provideService(Scope.Scope, scope)
          )
          const stop = Effect.gen(function* () {
            yield* server.kill("SIGTERM")
            expect((yield* server.exit).code).toBe(0)
            yield* Scope.close(scope, Exit.void)
          })
          return { url: server.url, stop }
        })
        const keyring = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
          const ended = yield* BeckonProcess.run({
            args: ["keyring", ...args, "--json", "--data-dir", dataDir],
            env: envOf(keyB, keyA)
          })
          expect(ended.code, ended.stderr).toBe(0)
          return JSON.parse(ended.stdout)
        })
        const keysInUse = Effect.map(keyring("list"), (rows: ReadonlyArray<Kept>) => [
          ...new Set(rows.map((row) => row.keyId))
        ])

        /** All that needs a secret, and what of it can be seen from outside. */
        const works = Effect.fnUntraced(function* (url: string, webhookSecret: string) {
          there.seen.length = 0
          yield* sent(url, "push")
          yield* sent(url, "sms")
          const told = Effect.sync(() => there.seen.filter(({ path }) => path === "/hook").length)
          expect(yield* Effect.repeat(told, { schedule: patience, until: (count) => count >= 2 })).toBeGreaterThan(1)
          const authorizationsAt = (start: string) =>
            new Set(
              there.seen.filter(({ path }) => path.startsWith(start)).map(({ headers }) => headers["authorization"])
            )
          expect(authorizationsAt("/users")).toEqual(new Set(["Bearer the service account"]))
          expect(authorizationsAt("/2010")).toEqual(
            new Set([`Basic ${Buffer.from("AC1:the auth token").toString("base64")}`])
          )
          for (const { body, headers, path } of there.seen) {
            if (path === "/hook") new Webhook(webhookSecret).verify(body, headers)
          }
        })

        const first = yield* start(keyA)
        yield* api(
          first.url,
          "/admin/tenant",
          { settings: { recipients: { source: "external", url: there.url, cache_ms: 0 } } },
          "PATCH"
        )
        const account = { type: "bearer", token: "the service account" }
        yield* api(first.url, "/admin/tenant/user-service/credential", account, "PUT")
        yield* api(first.url, "/admin/providers", { kind: "log", name: "push" })
        yield* api(first.url, "/admin/providers", {
          kind: "twilio",
          name: "sms",
          settings: { account_sid: "AC1", from: "+12025550123", base_url: there.url },
          credentials: { auth_token: "the auth token" }
        })
        const { secret } = yield* api(first.url, "/webhooks", { url: `${there.url}/hook`, events: ["delivery.sent"] })
        yield* api(first.url, "/users/me/devices", { platform: "ios", token: "the device of ada" }, "POST", ada)
        // Enough for a rotation that takes a while.
        for (let number = 0; number < 60; number++) {
          const as = token({ sub: `user-${number % 6}`, tenant: "acme" })
          yield* api(first.url, "/users/me/devices", { platform: "ios", token: `device-${number}` }, "POST", as)
        }
        yield* works(first.url, secret)
        expect(yield* keysInUse).toEqual(["a"])
        yield* first.stop

        const second = yield* start(keyB, keyA)
        let rounds = 0
        const sending = yield* Effect.forkChild(
          Effect.forever(
            Effect.tap(Effect.andThen(sent(second.url, "push"), sent(second.url, "sms")), () =>
              Effect.sync(() => (rounds += 1))
            )
          )
        )
        yield* Effect.repeat(
          Effect.sync(() => rounds),
          { schedule: patience, until: (count) => count > 0 }
        )
        const before = rounds
        const { resealed } = yield* keyring("rotate", "--batch", "3", "--pause", "100")
        expect(resealed).toBeGreaterThan(60)
        expect(rounds - before).toBeGreaterThan(1)
        // A send that failed has ended the fiber.
        expect(sending.pollUnsafe()).toBeUndefined()
        yield* Fiber.interrupt(sending)
        expect(yield* keysInUse).toEqual(["b"])
        yield* works(second.url, secret)
        yield* second.stop

        const third = yield* start(keyB)
        yield* works(third.url, secret)
        yield* third.stop
      }).pipe(Effect.scoped),
    300_000
  )
})
