/**
 * Every list of the API that has a cursor, as a whole server serves it, while rows come and go in its database.
 */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { encode } from "effect/encoding/Base64Url"
import { OpenApi } from "effect/http-api"
import fc from "fast-check"
import { randomBytes } from "node:crypto"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import type { TenantId } from "@beckon/domain/Identifiers"
import { layerServer } from "@beckon/infra/postgres/DatabaseClient"
import { startPostgres } from "../../../packages/infra/test/postgres/PostgresProcess.ts"
import { freshTenant } from "../../contract/Fixtures.ts"
import { listsOfBatches } from "../../contract/PaginationBatches.ts"
import { listsOfDeliveries } from "../../contract/PaginationDeliveries.ts"
import { lists } from "../../contract/PaginationLists.ts"
import type { Listed } from "../../contract/PaginationLists.ts"
import { scenarios, seed, walk } from "../../contract/PaginationWalk.ts"
import type { Page, Row } from "../../contract/PaginationWalk.ts"
import { overDatabase } from "../../contract/SqlStores.ts"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import type { Answered } from "./Road.ts"
import { http, jwtSecret, Road, token } from "./Road.ts"

const { paths: documented } = OpenApi.fromApi(BeckonApi)

/** Paths of which GET takes the one parameter and not the other. */
const pathsWith = (name: string, without?: string): ReadonlyArray<string> =>
  Object.entries(documented).flatMap(([path, { get }]) => {
    const names = get?.parameters.map((one) => one.name) ?? []
    return names.includes(name) && !names.includes(without ?? "") ? [path] : []
  })

const all = { ...lists, ...listsOfBatches, ...listsOfDeliveries }

type Stores = Effect.Services<ReturnType<(typeof all)[keyof typeof all]>>
type Make = (tenantId: TenantId) => Effect.Effect<Listed, { readonly _tag: string }, Stores>

const made: ReadonlyArray<readonly [string, Make]> = Object.entries(all)

/** Stores and server share a database: rows come in by the stores, and go out by the API. */
const layerRoad = Layer.effectContext(
  Effect.gen(function* () {
    const { url } = yield* startPostgres
    const stores = yield* Layer.build(overDatabase(layerServer({ url, maxConnections: 4 })))
    const running = yield* BeckonProcess.start({
      env: {
        DATABASE_URL: Redacted.value(url),
        HOST: "127.0.0.1",
        BECKON_JWT_SECRET: jwtSecret,
        BECKON_KEYS: `k:${randomBytes(32).toString("hex")}`,
        BECKON_RATE_LIMIT_TENANT: "off",
        BECKON_RATE_LIMIT_USER: "off",
        BECKON_RATE_LIMIT_KEY: "off"
      }
    })
    return Context.add(stores, Road, running)
  })
)

/** Asks the API for a page of a list, as somebody of this tenant. */
const ask = ({ id = "", path, role }: Listed, tenant: string, query: string) =>
  http(`${path.replace("{id}", encodeURIComponent(id))}${query}`, {
    token: token({ sub: "ada", tenant, roles: [role] })
  })

const keysOf = ({ member }: Listed, { body }: Answered): ReadonlyArray<string> =>
  body.data.map((row: Readonly<Record<string, unknown>>) => String(row[member]))

const nextOf = ({ body }: Answered): string | undefined =>
  (body.meta.next_cursor === undefined ? body.meta.nextCursor : body.meta.next_cursor) ?? undefined

const pageOf = Effect.fnUntraced(function* (list: Listed, tenant: string, cursor: string | undefined, limit: number) {
  const after = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`
  const answer = yield* ask(list, tenant, `?limit=${limit}${after}`)
  assert.strictEqual(answer.status, 200, JSON.stringify(answer.body))
  assert.strictEqual(answer.body.meta.limit, limit)
  const next = nextOf(answer)
  // A cursor needs no care in a URL.
  if (next !== undefined) assert.match(next, /^[\w-]+$/)
  return { keys: keysOf(list, answer), next } satisfies Page
})

const filled = Effect.fnUntraced(function* (make: Make, tenant: TenantId, count: number) {
  const list = yield* make(tenant)
  const { keys: common } = yield* pageOf(list, tenant, undefined, 100)
  const rows = Array<Row>()
  for (let number = 1; number <= count; number++) {
    rows.push(yield* list.insert({ name: `${number}👋:/`, number }))
  }
  return { list, keys: new Set([...common, ...rows.map(({ key }) => key)]) }
})

const isRefusal = ({ body, status, type }: Answered): boolean =>
  (status === 400 || status === 422) &&
  type.startsWith("application/problem+json") &&
  body.status === status &&
  /cursor|limit/.test(JSON.stringify(body))

const badLimits = ["0", "101", "-1", "1e9", "x", "1.5", "NaN", "Infinity", "", "%00", "1&limit=2"]

/** What looks like a cursor to one who has seen some, and what does not. */
const forged = (seed: number): ReadonlyArray<string> => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 })
  const kinds = ["", "s:", "i:", "u:", "t:"]
  const texts = ["-1", "1e3", "999999999999999", "9999999999999999", "\u0000", "\n", "x".repeat(64), "x".repeat(65)]
  return [
    ...kinds.flatMap((kind) => ["", ...texts, "👋".repeat(64), "' or 1=1--"].map((text) => encode(kind + text))),
    ...kinds.map((kind) => encode(Uint8Array.of(...new TextEncoder().encode(kind), 0xed, 0xa0, 0x80))),
    ...fc.sample(bytes, { numRuns: 20, seed }).map((one) => encode(one)),
    "x".repeat(1_024),
    "x".repeat(1_025),
    "x",
    "%",
    "null",
    "👋",
    "a b",
    "\u0000",
    "="
  ]
}

layer(layerRoad, { timeout: "60 seconds", excludeTestServices: true })("lists of the API", (it) => {
  it.effect("all have a case here", () =>
    Effect.gen(function* () {
      const cases = yield* Effect.forEach(made, ([, make]) => Effect.map(make(freshTenant()), ({ path }) => path))
      assert.deepStrictEqual(cases.toSorted(), pathsWith("cursor").toSorted())
    })
  )

  it.effect.each(made)("%s: whoever is there all the time is seen once, whatever comes and goes", ([, make]) =>
    Effect.gen(function* () {
      const chance = yield* seed
      for (const scenario of fc.sample(scenarios, { numRuns: 6, seed: chance })) {
        const tenant = freshTenant()
        const list = yield* make(tenant)
        const wrong = yield* walk(list, (cursor, limit) => pageOf(list, tenant, cursor, limit), scenario)
        assert.deepStrictEqual(wrong, [], `seed ${chance}, ${JSON.stringify(scenario)}`)
      }
    })
  )

  it.effect.each(made)("%s: refuses a limit that is none, and says so", ([, make]) =>
    Effect.gen(function* () {
      const tenant = freshTenant()
      const list = yield* make(tenant)
      for (const limit of badLimits) {
        const answer = yield* ask(list, tenant, `?limit=${limit}`)
        assert.isTrue(isRefusal(answer), `${limit}: ${answer.status} ${JSON.stringify(answer.body)}`)
      }
      for (const limit of [1, 100]) yield* pageOf(list, tenant, undefined, limit)
    })
  )

  it.effect.each(made)("%s: takes filters of any text, or refuses them", ([, make]) =>
    Effect.gen(function* () {
      const tenant = freshTenant()
      const list = yield* make(tenant)
      yield* list.insert({ name: "one", number: 1 })
      const filters = documented[list.path]?.get?.parameters.filter((one) => one.in === "query") ?? []
      for (const { name } of filters) {
        for (const text of ["%00", "%ED%A0%80", "%F0%9F%91%8B", "%27%22%5C%25_", "", "x".repeat(5_000)]) {
          const { body, status } = yield* ask(list, tenant, `?${name}=${text}`)
          assert.include([200, 400, 422], status, `${name}=${text}: ${JSON.stringify(body)}`)
          // The row has nothing of these.
          if (status === 200 && text !== "") assert.deepStrictEqual(body.data, [], `${name}=${text}`)
        }
      }
    })
  )

  it.effect("have no ids that a cursor could not carry", () =>
    Effect.gen(function* () {
      const admin = token({ sub: "ada", tenant: freshTenant(), roles: ["admin"] })
      const create = (id: string) =>
        http("/api/v1/users", { token: admin, method: "POST", body: JSON.stringify({ user_id: id }) })
      for (const id of ["a\u0000", "\ud800", "a\udc00b", "a\nb", "", "x".repeat(129)]) {
        const { body, status } = yield* create(id)
        assert.include([400, 422], status, `${JSON.stringify(id)}: ${JSON.stringify(body)}`)
      }
      assert.strictEqual((yield* create("👋".repeat(64))).status, 201)
    })
  )

  it.effect("that have a limit and no cursor refuse one that is none, too", () =>
    Effect.gen(function* () {
      const admin = token({ sub: "ada", tenant: freshTenant(), roles: ["platform"] })
      const paths = pathsWith("limit", "cursor")
      assert.include(paths, "/api/v1/dead-letters/events")
      for (const path of paths) {
        for (const limit of badLimits) {
          const answer = yield* http(`${path}?limit=${limit}`, { token: admin })
          assert.isTrue(isRefusal(answer), `${path}, ${limit}: ${answer.status} ${JSON.stringify(answer.body)}`)
        }
      }
    })
  )

  it.effect(
    "take a cursor that they did not give for none, or without harm: no failure, and no rows of another tenant",
    () =>
      Effect.gen(function* () {
        const chance = yield* seed
        // A tenant for each list: what is in one would be in others too.
        const fill = Effect.forEach(made, ([name, make]) => {
          const tenant = freshTenant()
          return Effect.map(filled(make, tenant, 5), (one) => ({ name, tenant, ...one }))
        })
        const mine = yield* fill
        const cursors = new Set<string>()
        for (const { list, tenant } of [...mine, ...(yield* fill)]) {
          const { next = "" } = yield* pageOf(list, tenant, undefined, 2)
          assert.notStrictEqual(next, "")
          for (const end of [next.length, next.length - 1, 2]) cursors.add(next.slice(0, end))
        }
        const queries = [...cursors, ...forged(chance)].map((cursor) => `cursor=${encodeURIComponent(cursor)}`)
        // A lone surrogate, a broken escape, two at once, and none.
        queries.push("cursor=%ED%A0%80", "cursor=%", "cursor=a&cursor=b", "cursor=")
        for (const { keys, list, name, tenant } of mine) {
          const said = (query: string, { body, status }: Answered) =>
            `seed ${chance}, ${name}?${query}: ${status} ${JSON.stringify(body)}`
          for (const query of queries) {
            const answer = yield* ask(list, tenant, `?limit=100&${query}`)
            if (answer.status !== 200) {
              assert.isTrue(isRefusal(answer), said(query, answer))
              continue
            }
            // Who runs the deployment sees the tenants of all.
            const strange = keysOf(list, answer).filter((key) => list.role !== "platform" && !keys.has(key))
            assert.deepStrictEqual(strange, [], said(query, answer))
          }
          const none = yield* ask(list, tenant, "?cursor=%25")
          assert.isTrue(isRefusal(none), said("cursor=%25", none))
          if (list.id === undefined) continue
          const stranger = yield* ask(list, freshTenant(), "")
          assert.strictEqual(stranger.status, 404, said("as another tenant", stranger))
        }
      }),
    120_000
  )
})
