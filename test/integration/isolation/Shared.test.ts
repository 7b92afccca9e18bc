/**
 * What tenants have in common: Redis, its channels, the caches of a node, the log and the metrics. All of it names the tenant.
 */
import { assert, expect, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { RedisClient } from "@beckon/infra/redis/RedisClient"
import { bareSocket, call, token } from "../road/Road.ts"
import type { Call } from "../road/Road.ts"
import { none } from "./Calls.ts"
import { Deployment } from "./Deployment.ts"
import { settled } from "./Furnished.ts"
import type { Furnished } from "./Furnished.ts"

const texts = Schema.decodeUnknownSync(Schema.Array(Schema.String))
const pageOf = Schema.decodeUnknownSync(Schema.Tuple([Schema.String, Schema.Array(Schema.String)]))

/** Commands whose first argument is a key, or whose keys are counted. */
const keysOf = ([command = "", ...args]: ReadonlyArray<string>): ReadonlyArray<string> => {
  const name = command.toUpperCase()
  if (/^EVAL(SHA)?(_RO)?$/.test(name)) return args.slice(2, 2 + Number(args[1]))
  if (
    /^(S?PUBLISH|S?SUBSCRIBE|S?UNSUBSCRIBE|GET|SET|DEL|UNLINK|EXPIRE|PEXPIRE|[HZ][A-Z]+|S(ADD|REM|SCAN|MEMBERS))$/.test(
      name
    )
  ) {
    return args.slice(0, 1)
  }
  return []
}

/** What is of the deployment, and of no tenant. */
const ofDeployment: ReadonlyArray<readonly [RegExp, string]> = [
  [/^\{beckon:cluster\}:/, "which nodes there are, and which partitions they have"],
  [/^\{beckon:presence\}:gateways$/, "which nodes live"],
  [/^beckon:presence:gateway:[^:]+$/, "what a node holds; each member names the tenant"],
  [/^\{beckon:limits:address:/, "callers who have not shown who they are"],
  [/^beckon:topic:[a-z_-]+$/, "news for the caches of all nodes; each message names the tenant"]
]

const drive = Effect.fnUntraced(function* (of: Furnished) {
  const { url } = yield* Deployment
  const get = (path: string, as: string) => call(url, `/api/v1${path}`, { token: as })
  const socket = yield* bareSocket(url, of.tokens.ada)
  for (const topic of ["app:shared", "tracking:driver:ada", `batch:${of.batch}`]) yield* socket.rpc("Watch", { topic })
  yield* socket.rpc("Publish", { topic: "tracking:driver:ada", data: { latitude: 1, longitude: 1 } })
  const shop = yield* bareSocket(url, of.tokens.service)
  yield* shop.rpc("Publish", { topic: "app:shared", data: of.mark })
  yield* get("/users/me/notifications", of.tokens.ada)
  yield* get("/presence/ada", of.tokens.service)
  yield* get("/deliveries", of.secret)
  yield* call(url, "/api/v1/notifications", {
    token: of.tokens.service,
    headers: { "idempotency-key": `driven-${of.mark}` },
    body: { user_id: "ada", notification_type: "news", title: "News", message: "mood-ok", channels: ["sms"] }
  })
  yield* call(url, "/api/v1/admin/lookups/categories/shared", {
    method: "PUT",
    token: of.tokens.admin,
    body: { labels: { en: of.mark } }
  })
  yield* call(url, "/api/v1/admin/templates", { token: of.tokens.admin, body: { wrong: true } })
})

layer(Deployment.layer, { timeout: "240 seconds", excludeTestServices: true })("what tenants share", (it) => {
  it.effect("in Redis has the tenant in every key and channel, but for what is the deployment's", () =>
    Effect.gen(function* () {
      const { alpha, beta, redisUrl, sql } = yield* Deployment
      const redis = Context.get(
        yield* Layer.build(RedisClient.layer({ servers: { kind: "single", url: redisUrl }, prefix: "beckon" })),
        RedisClient
      )
      const connection = yield* redis.connect()
      assert(!connection.isCluster && "monitor" in connection)
      const monitor = yield* Effect.promise(() => connection.monitor())
      const touched = new Set<string>()
      monitor.on("monitor", (_time: string, args: ReadonlyArray<string>) => {
        for (const key of keysOf(args)) touched.add(key.replaceAll("\\x00", "\u0000"))
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => monitor.disconnect()))
      yield* Effect.forEach([alpha, beta], drive, { concurrency: 2 })
      yield* settled(sql)
      let cursor = "0"
      do {
        const [next, keys] = pageOf(yield* redis.send("SCAN", cursor, "COUNT", 1_000))
        for (const key of keys) touched.add(key)
        cursor = next
      } while (cursor !== "0")
      for (const channel of texts(yield* redis.send("PUBSUB", "CHANNELS"))) touched.add(channel)
      const named = [...touched].filter((key) => /\b(alpha|beta|operators)\b/.test(key))
      const others = [...touched].filter((key) => !named.includes(key))
      yield* Effect.logInfo(`${named.length} keys and channels of tenants, ${others.length} of the deployment`)
      yield* none(others.filter((key) => !ofDeployment.some(([pattern]) => pattern.test(key))))
      for (const room of ["limits:", "presence:user:", "topic:watch:", "topic-last:", "breaker"]) {
        assert(
          named.some((key) => key.includes(room)),
          room
        )
      }
      // Both used the same names all the time: under each there is one for each.
      const swapped = (key: string) => key.replaceAll("alpha", "beta")
      const shared = named.filter(
        (key) => /shared|ada\b|tenant$/.test(key) && key.includes("alpha") && !key.includes("only-")
      )
      expect(shared.length).toBeGreaterThan(3)
      for (const key of shared) expect(named).toContain(swapped(key))
    }).pipe(Effect.scoped)
  )

  it.effect("in the caches of a node and under idempotency keys is each tenant's own, whatever it is called", () =>
    Effect.gen(function* () {
      const { alpha, beta, url } = yield* Deployment
      const api = (of: Furnished, path: string, options: Call = {}) =>
        call(url, `/api/v1${path}`, { token: of.tokens.admin, ...options })
      // Twice and in turn, so that each is asked for what the other one's answer is kept under.
      for (const of of [alpha, beta, alpha, beta]) {
        const other = of === alpha ? beta : alpha
        const answers = [
          yield* api(of, "/admin/templates/welcome/preview", { body: { variables: { name: "Ada" } } }),
          yield* api(of, "/lookups/categories"),
          yield* api(of, "/users/ada"),
          yield* api(of, "/admin/tenant"),
          yield* api(of, "/admin/routing-policy"),
          yield* api(of, "/admin/providers"),
          yield* api(of, "/users", { token: of.secret }),
          yield* api(of, "/notifications", {
            headers: { "idempotency-key": "the-same" },
            body: {
              user_id: "ada",
              notification_type: "same",
              template_code: "welcome",
              variables: {},
              request_id: "the-same"
            }
          })
        ]
        for (const { body, headers, status } of answers) {
          const text = JSON.stringify([body, [...headers]])
          assert.isBelow(status, 300, text)
          assert.notInclude(text, other.mark)
        }
      }
      const idUnder = (of: Furnished) =>
        Effect.map(
          api(of, "/notifications", {
            headers: { "idempotency-key": "the-same" },
            body: {
              user_id: "ada",
              notification_type: "same",
              template_code: "welcome",
              variables: {},
              request_id: "the-same"
            }
          }),
          ({ body, headers }) => ({ id: String(body.data.id), replayed: headers.get("idempotency-replayed") })
        )
      const [one, two] = [yield* idUnder(alpha), yield* idUnder(beta)]
      expect([one.replayed, two.replayed]).toEqual(["true", "true"])
      expect(one.id).not.toBe(two.id)
    })
  )

  it.effect("of limits is used up by one tenant for itself only", () =>
    Effect.gen(function* () {
      const { alpha, beta, platform, url } = yield* Deployment
      const limited = { settings: { rate_limits: { user: { per_second: 0.01, burst: 2 } } } }
      const patch = { method: "PATCH", token: platform, body: limited }
      expect((yield* call(url, "/api/v1/admin/tenants/alpha", patch)).status).toBe(200)
      const asked = (of: Furnished) =>
        Effect.map(
          call(url, "/api/v1/users/me/unread-count", { token: token({ sub: "cara", tenant: of.tenant }) }),
          ({ status }) => status
        )
      const statuses = yield* Effect.forEach([alpha, alpha, alpha, beta], asked)
      expect(statuses).toEqual([200, 200, 429, 200])
    })
  )

  it.effect("in the metrics names the tenant", () =>
    Effect.gen(function* () {
      const { alpha, beta, sql, url } = yield* Deployment
      yield* settled(sql)
      const metrics = yield* call(url, "/metrics", { token: "metrics-token-of-the-tests" })
      const series = String(metrics.body)
        .split("\n")
        .filter((line) => /^beckon_\w+(\{| )/.test(line))
      expect(series.length).toBeGreaterThan(5)
      const ofNode = /^beckon_(sessions|mailboxes_resident) /
      expect(series.filter((line) => !line.includes("tenant=") && !ofNode.test(line))).toEqual([])
      for (const { mark, tenant } of [alpha, beta]) {
        expect(series.some((line) => line.includes(`tenant="${tenant}"`))).toBe(true)
        assert.notInclude(String(metrics.body), mark)
      }
    })
  )
})
