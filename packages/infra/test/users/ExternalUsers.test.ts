import { assert, describe, it } from "@effect/vitest"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { UserId } from "@beckon/domain/Identifiers"
import { Duration, Effect, Layer, Option, Redacted } from "effect"
import { ExternalUsers } from "../../src/users/ExternalUsers.ts"
import type { UserService } from "../../src/users/ExternalUsers.ts"
import { OutboundPost } from "../../src/webhook/OutboundPost.ts"
import * as Loopback from "../http/LoopbackHttp.ts"

const layer = ExternalUsers.layer.pipe(
  Layer.provide(OutboundPost.layer({ allowInsecure: true, allowedNetworks: ["127.0.0.0/8"] }))
)

const [ada, comma] = [UserId.make("ada"), UserId.make("a,b & c/ö")]
const planted = "planted-credential-51c0"

const serviceAt = (url: string, other: Partial<UserService> = {}): UserService => ({
  url,
  timeout: Duration.millis(400),
  authorization: Option.some(Redacted.make(`Bearer ${planted}`)),
  ...other
})

const find = (service: UserService, ...userIds: ReadonlyArray<UserId>) =>
  ExternalUsers.use((external) => external.find(service, userIds))

describe("ExternalUsers", () => {
  it.live("asks with the credential and the correlation id, and takes what it asked for", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.start
      server.prepare(
        Loopback.json(200, {
          data: [
            { user_id: comma, name: "Comma", phone: "+4915112345678", time_zone: "Europe/Berlin", roles: ["driver"] },
            { user_id: "ada", email: null, language: "de", phone: "0151", time_zone: "Mars/Olympus", roles: ["x", 7] },
            { user_id: "stranger", email: "stranger@example.com" },
            { name: "nobody" },
            "nonsense"
          ]
        })
      )
      const users = yield* find(serviceAt(`${server.url}/api/`), ada, comma).pipe(
        Effect.provideService(CallOrigin, { address: null, correlationId: "corr-9", traceparent: null })
      )
      assert.deepStrictEqual(users, [
        {
          userId: comma,
          name: "Comma",
          email: null,
          phone: "+4915112345678",
          image: null,
          language: null,
          timeZone: "Europe/Berlin",
          roles: ["driver"]
        },
        {
          userId: ada,
          name: null,
          email: null,
          phone: null,
          image: null,
          language: "de",
          timeZone: null,
          roles: ["x"]
        }
      ])
      const [seen] = server.seen
      const url = new URL(seen?.path ?? "", server.url)
      assert.deepStrictEqual([url.pathname, url.searchParams.getAll("ids")], ["/api/users", [ada, comma]])
      assert.deepInclude(seen?.headers, {
        authorization: `Bearer ${planted}`,
        "x-correlation-id": "corr-9",
        accept: "application/json"
      })
      assert.notProperty(seen?.headers, "traceparent")
    }).pipe(Effect.provide(layer))
  )

  it.live("lists pages of a role, and refuses a service that gives the same page again", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.start
      const external = yield* ExternalUsers
      const service = serviceAt(server.url)
      const data = [{ user_id: "ada" }, { user_id: "bob" }, { user_id: "eve" }]
      server.prepare(Loopback.json(200, { data }), Loopback.json(200, { data }))
      const page = yield* external.list(service, { role: "driver", limit: 2 })
      assert.deepStrictEqual(
        page.map(({ userId }) => userId),
        ["ada", "bob"]
      )
      const error = yield* Effect.flip(external.list(service, { afterUserId: UserId.make("bob"), limit: 2 }))
      assert.strictEqual(error.code, "malformed")
      assert.deepStrictEqual(
        server.seen.map(({ path }) => path),
        ["/users?limit=2&role=driver", "/users?limit=2&after=bob"]
      )
    }).pipe(Effect.provide(layer))
  )

  it.live("says what went wrong with every other answer, and never the credential or the URL", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.start
      const service = serviceAt(`${server.url}/secret-path`)
      const table: ReadonlyArray<readonly [Loopback.Reply, string, number | undefined]> = [
        [Loopback.text(401, `bad ${planted}`), "status", 401],
        [Loopback.text(404, "nothing here"), "status", 404],
        [Loopback.text(503, "", { "retry-after": "7" }), "status", 503],
        [Loopback.text(302, "", { location: "http://127.0.0.1:1/" }), "status", 302],
        [Loopback.text(200, `{"data": "${planted}"`), "malformed", undefined],
        [Loopback.json(200, { users: [] }), "malformed", undefined],
        [Loopback.json(200, []), "malformed", undefined],
        [Loopback.flood, "malformed", undefined],
        [Loopback.hang, "timeout", undefined],
        [Loopback.drip, "timeout", undefined],
        [Loopback.stuck, "status", 201],
        [Loopback.reset, "connection", undefined]
      ]
      for (const [reply, code, status] of table) {
        server.prepare(reply)
        const error = yield* Effect.flip(find(service, ada))
        assert.deepStrictEqual([error.code, error.status], [code, status])
        const told = `${error.message} ${JSON.stringify(error)}`
        for (const secret of [planted, "secret-path"]) assert.notInclude(told, secret)
        if (status === 503) assert.strictEqual(error.retryAfter, 7_000)
      }
      assert.strictEqual(server.seen.length, table.length)
    }).pipe(Effect.provide(layer))
  )

  it.live("calls no address of a private network, whatever the URL says", () =>
    Effect.gen(function* () {
      const guarded = ExternalUsers.layer.pipe(Layer.provide(OutboundPost.layer({ allowInsecure: true })))
      const server = yield* Loopback.start
      for (const [url, code] of [
        [server.url, "address_refused"],
        [server.url.replace("127.0.0.1", "localhost"), "address_refused"],
        ["https://169.254.169.254/latest", "address_refused"],
        ["ftp://example.com", "url_refused"],
        ["https://user:pass@example.com", "url_refused"]
      ] as const) {
        const error = yield* Effect.flip(find(serviceAt(url), ada)).pipe(Effect.provide(guarded))
        assert.strictEqual(error.code, code, url)
      }
      assert.deepStrictEqual(server.seen, [])
    })
  )
})
