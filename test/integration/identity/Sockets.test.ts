/**
 * API keys and tokens on HTTP and on sockets of a server in a process of its own: let in, kept, and thrown out.
 */
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Answer } from "../road/Road.ts"
import { bareSocket, http, Road, socketOf, token } from "../road/Road.ts"

const keysPath = "/api/v1/admin/api-keys"
const revocationsPath = "/api/v1/admin/revocations"
const now = () => Math.floor(Date.now() / 1000)

/** Each test has a tenant of its own. */
const adminOf = (tenant: string) => token({ sub: "boss", roles: ["admin"], tenant })

const newKey = (tenant: string, body: Record<string, unknown> = {}) =>
  Effect.map(http(keysPath, { token: adminOf(tenant), body: { name: "shop", ...body } }), (answer) => {
    expect(answer.status).toBe(201)
    const { api_key: apiKey, key }: Answer["body"] = answer.body.data
    return { id: String(apiKey.id), key: String(key), path: `${keysPath}/${apiKey.id}` }
  })

const send = (bearer: string) =>
  http("/api/v1/services/notifications/send", {
    token: bearer,
    body: { user_id: "ada", type: "order_created", title: "New Order", message: "Accept now!" }
  })

const socketWith = (bearer: string) => Effect.flatMap(Road, ({ url }) => bareSocket(url, bearer))

layer(Road.layer, { timeout: "2 minutes", excludeTestServices: true })("identities", (it) => {
  it.effect("an API key is shown once, and lets its service in on HTTP and on a socket", () =>
    Effect.gen(function* () {
      const { id, key, path } = yield* newKey("a")
      expect(key).toMatch(/^bk_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}$/)
      expect((yield* send(key)).status).toBe(202)
      const socket = yield* socketWith(key)
      expect(yield* socket.rpc("UnreadCount")).toMatchObject({ _tag: "Success" })
      const one = yield* http(path, { token: adminOf("a") })
      expect(one.body.data).toMatchObject({ id, name: "shop", role: "service", scopes: null, revoked_at: null })
      const all = yield* http(keysPath, { token: adminOf("a") })
      expect(all.body.data).toHaveLength(1)
      for (const answer of [one, all]) expect(JSON.stringify(answer.body)).not.toContain(key.slice(26))
      expect((yield* http(path, { token: adminOf("b") })).status).toBe(404)
      expect((yield* http(keysPath, { token: key })).status).toBe(403)
      const wrong = `${key.slice(0, -1)}${key.endsWith("a") ? "b" : "a"}`
      expect((yield* send(wrong)).body.detail).toBe("key: not an API key of this server")
    })
  )

  it.effect("what is wrong with a new key is said by field", () =>
    Effect.gen(function* () {
      const create = (body: unknown) => http(keysPath, { token: adminOf("c"), body })
      for (const [body, status, says] of [
        [{}, 400, /name/],
        [{ name: "" }, 400, /name/],
        [{ name: "k", role: "platform" }, 400, /role/],
        [{ name: "k", scopes: ["everything"] }, 400, /scopes/],
        [{ name: "k", scopes: [] }, 400, /scopes/],
        [{ name: "k", expires_at: "2020-01-01T00:00:00Z" }, 422, /"expires_at: it must be in the future"/],
        [{ name: "k", role: "admin", scopes: ["audit:read"] }, 201, /"scopes":\["audit:read"\]/]
      ] as const) {
        const answer = yield* create(body)
        expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringMatching(says)])
      }
    })
  )

  it.effect("pages of keys have each once", () =>
    Effect.gen(function* () {
      const ids = yield* Effect.forEach([1, 2, 3, 4, 5], () => newKey("d"))
      const pages: Array<ReadonlyArray<string>> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const { body }: Answer = yield* http(`${keysPath}?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`, {
          token: adminOf("d")
        })
        pages.push(body.data.map(({ id }: { readonly id: string }) => id))
        cursor = body.meta.next_cursor
      }
      expect(pages.map(({ length }) => length)).toEqual([2, 2, 1])
      expect(pages.flat()).toEqual(ids.map(({ id }) => id).toReversed())
      expect((yield* http(`${keysPath}?cursor=nonsense`, { token: adminOf("d") })).status).toBe(422)
    })
  )

  it.effect("a rotated key has two secrets until the overlap ends; without an overlap the old socket is closed", () =>
    Effect.gen(function* () {
      const { key, path } = yield* newKey("e")
      const rotate = (body: unknown) => http(`${path}/rotate`, { token: adminOf("e"), body })
      const second = (yield* rotate({ overlap_seconds: 600 })).body.data.key
      expect([(yield* send(key)).status, (yield* send(second)).status]).toEqual([202, 202])
      const socket = yield* socketWith(second)
      const third = (yield* rotate({ overlap_seconds: 0 })).body.data.key
      expect([(yield* send(key)).status, (yield* send(second)).status, (yield* send(third)).status]).toEqual([
        401, 401, 202
      ])
      expect(yield* socket.closed).toEqual({ code: 4502, reason: "token revoked" })
      expect((yield* rotate({ overlap_seconds: 604_801 })).status).toBe(400)
    })
  )

  it.effect("a key that is revoked is refused at once, and its sockets are closed; others stay", () =>
    Effect.gen(function* () {
      const { key, path } = yield* newKey("f")
      const other = yield* newKey("f")
      const [socket, bystander] = [yield* socketWith(key), yield* socketWith(other.key)]
      const revoked = yield* http(`${path}/revoke`, { token: adminOf("f"), method: "POST" })
      expect(revoked.body.data.revoked_at).not.toBeNull()
      expect((yield* send(key)).body.detail).toBe("key: it was revoked")
      expect(yield* socket.closed).toEqual({ code: 4502, reason: "token revoked" })
      expect(yield* bystander.rpc("UnreadCount")).toMatchObject({ _tag: "Success" })
    })
  )

  it.effect("revoking the tokens of a user closes his sockets and refuses his tokens, also to refresh a socket", () =>
    Effect.gen(function* () {
      // Made before the revocation, once: one that is made a second later is good.
      const [old, kept] = [token({ sub: "ada", tenant: "g" }), token({ sub: "bob", tenant: "g" })]
      const sockets = [yield* socketWith(old), yield* socketWith(old)]
      const bystander = yield* socketWith(kept)
      const answer = yield* http(revocationsPath, { token: adminOf("g"), body: { user_id: "ada" } })
      expect(answer).toMatchObject({ status: 201, body: { data: [{ user_id: "ada", token_id: null }] } })
      for (const socket of sockets) expect(yield* socket.closed).toEqual({ code: 4502, reason: "token revoked" })
      const refused = yield* http("/api/v1/users/me/notifications", { token: old })
      expect([refused.status, refused.body.detail]).toEqual([401, "token: it was revoked"])
      expect(yield* Effect.flip(socketWith(old))).toMatchObject({ code: 1006 })
      // A token that says that it was made later is good.
      const { token: later } = (yield* http("/dev/token", { body: { sub: "ada", tenant: "g" } })).body
      const iat = JSON.parse(Buffer.from(String(later).split(".")[1] ?? "", "base64url").toString()).iat
      const before = Date.parse(answer.body.data[0].before)
      expect((yield* http("/api/v1/users/me/notifications", { token: later })).status).toBe(
        iat * 1000 > before ? 200 : 401
      )
      expect(yield* bystander.rpc("RefreshToken", { token: kept })).toMatchObject({ _tag: "Success" })
      expect(yield* bystander.rpc("RefreshToken", { token: old })).toMatchObject({ _tag: "Failure" })
      const wrong = yield* http(revocationsPath, { token: adminOf("g"), body: {} })
      expect([wrong.status, wrong.body.detail]).toEqual([422, "user_id: give it, or token_id"])
      expect((yield* http(revocationsPath, { token: kept, body: { user_id: "bob" } })).status).toBe(403)
    })
  )

  it.effect("a socket is closed when its token expires, and stays when it was refreshed", () =>
    Effect.gen(function* () {
      const short = { sub: "eve", tenant: "h", exp: now() + 2 }
      const [left, stays] = [yield* socketOf(short), yield* socketOf(short)]
      const fresh = token({ sub: "eve", tenant: "h" })
      expect(yield* stays.rpc("RefreshToken", { token: fresh })).toMatchObject({ _tag: "Success" })
      expect(yield* left.closed).toEqual({ code: 4002, reason: "token expired" })
      expect(yield* stays.rpc("UnreadCount")).toMatchObject({ _tag: "Success" })
      expect(stays.isClosed()).toBe(false)
    })
  )

  it.effect("a suspended tenant is refused and its sockets are closed, until it is lifted", () =>
    Effect.gen(function* () {
      const operator = token({ sub: "root", roles: ["platform"], tenant: "operators" })
      const tenants = "/api/v1/admin/tenants"
      yield* http(tenants, { token: operator, body: { id: "i", name: "I" } })
      const socket = yield* socketOf({ sub: "ada", tenant: "i" })
      const bystander = yield* socketOf({ sub: "ada", tenant: "j" })
      const setTo = (verb: string) => http(`${tenants}/i/${verb}`, { token: operator, method: "POST" })
      expect((yield* setTo("suspend")).status).toBe(200)
      const refused = yield* http("/api/v1/users/me/notifications", { token: token({ sub: "ada", tenant: "i" }) })
      expect([refused.status, refused.type, refused.body.detail]).toEqual([
        403,
        "application/problem+json",
        "tenant: it is suspended"
      ])
      expect(yield* socket.closed).toEqual({ code: 4504, reason: "tenant suspended" })
      const why = yield* http("/api/v1/socket", { token: token({ sub: "ada", tenant: "i" }) })
      expect([why.status, why.body.detail]).toEqual([403, "tenant: it is suspended"])
      expect(yield* bystander.rpc("UnreadCount")).toMatchObject({ _tag: "Success" })
      expect((yield* setTo("activate")).status).toBe(200)
      yield* socketOf({ sub: "ada", tenant: "i" })
    })
  )
})
