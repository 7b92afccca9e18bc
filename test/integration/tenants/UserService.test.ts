/**
 * Tenants whose users are those of a service of their own, through the real program: to whom mails go, and what becomes of them
 * while the service is down, slow, or talks nonsense.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Scope } from "effect"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { json, Services, tenantOf, until } from "../deliveries/Services.ts"
import type { Reply, Tenant } from "../deliveries/Services.ts"
import { token } from "../road/Road.ts"

interface UserService {
  readonly url: string
  readonly seen: Array<IncomingMessage>
  /** What it knows, by id, without the id. */
  readonly users: Map<string, Record<string, unknown>>
  /** How it misbehaves; `undefined` when it does not. */
  mood: Reply | undefined
}

const usersOf = ({ users }: UserService, url: string) => {
  const query = new URL(url, "http://localhost").searchParams
  const known = [...users].map(([id, user]) => ({ ...user, user_id: id }))
  const ids = query.getAll("ids")
  if (ids.length > 0) return known.filter((user) => ids.includes(user.user_id))
  const [role, after = ""] = [query.get("role"), query.get("after") ?? undefined]
  return known
    .filter((user) => user.user_id > after)
    .filter((user) => role === null || ("roles" in user && Array.isArray(user.roles) && user.roles.includes(role)))
    .toSorted((left, right) => (left.user_id < right.user_id ? -1 : 1))
    .slice(0, Number(query.get("limit")))
}

const startService: Effect.Effect<UserService, never, Scope.Scope> = Effect.gen(function* () {
  const service: { -readonly [Key in keyof UserService]: UserService[Key] } = {
    url: "",
    seen: [],
    users: new Map(),
    mood: undefined
  }
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    service.seen.push(request)
    const reply = service.mood ?? json(200, { data: usersOf(service, request.url ?? "") })
    reply(response)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return service
})

const asAdmin = (tenant: string) => token({ sub: "boss", tenant, roles: ["admin"] })

/** A tenant whose users are those of a service. */
const externalTenant = Effect.fnUntraced(function* (name: string, recipients: Record<string, unknown> = {}) {
  const tenant = yield* tenantOf(name)
  const service = yield* startService
  const settings = { recipients: { source: "external", url: service.url, ...recipients } }
  yield* tenant.api("/admin/tenant", { method: "PATCH", body: { settings } }, asAdmin(name))
  return { tenant, service }
})

const mail = ({ notify }: Tenant, userId: string) => notify({ user_id: userId, channels: ["email"] })

const mailsTo = (address: string) => Effect.map(Services, ({ sendgrid }) => sendgrid.of(address).length)

const waits = ({ api }: Tenant, id: string) =>
  until(api(`/notifications/${id}`), ({ deliveries: [delivery] }) => delivery?.reason === "recipients_away").pipe(
    Effect.map(({ deliveries: [delivery] }) => delivery)
  )

layer(Services.layer, { timeout: "60 seconds", excludeTestServices: true })("a user service", (it) => {
  it.effect("says where mails go, with the service account, once for many mails", () =>
    Effect.gen(function* () {
      const { service, tenant } = yield* externalTenant("service-mails")
      const { planted, secrets } = yield* Services
      const account = `planted-${planted.jwt.length}-service-account`
      secrets.add(account)
      const credential = { method: "PUT", body: { type: "bearer", token: account } }
      yield* tenant.api("/admin/tenant/user-service/credential", credential, asAdmin(tenant.tenant))
      service.users.set("ada", { email: "ada@service-mails.example", roles: ["driver"], time_zone: "Asia/Tokyo" })
      for (let round = 1; round <= 3; round++) yield* tenant.delivery(yield* mail(tenant, "ada"), "email", "sent")
      assert.strictEqual(yield* mailsTo("ada@service-mails.example"), 3)
      assert.deepStrictEqual(
        service.seen.map(({ headers, url }) => [url, headers.authorization]),
        [["/users?ids=ada", `Bearer ${account}`]]
      )
      const unknown = yield* mail(tenant, "nobody")
      assert.strictEqual((yield* tenant.delivery(unknown, "email", "skipped")).reason, "no_address")
      const refused = yield* Effect.flip(tenant.user("ada", { email: "other@example.com" }))
      assert.strictEqual("status" in refused ? refused.status : undefined, 409)
    }).pipe(Effect.scoped)
  )

  for (const [mood, reply] of [
    ["is down", json(503, {})],
    ["talks nonsense", json(200, { users: "none" })],
    ["hangs", () => undefined]
  ] as const) {
    it.effect(
      `that ${mood} makes mails wait, nobody else's, and none is lost`,
      () =>
        Effect.gen(function* () {
          const name = `service-${mood.replaceAll(" ", "-")}`
          const { service, tenant } = yield* externalTenant(name, { timeout_ms: 300 })
          const other = yield* tenantOf(`${name}-other`)
          yield* other.user("bob", { email: `bob@${name}.example` })
          service.users.set("ada", { email: `ada@${name}.example` })
          service.mood = reply
          const waiting = yield* mail(tenant, "ada")
          yield* other.delivery(yield* mail(other, "bob"), "email", "sent")
          const delivery = yield* waits(tenant, waiting)
          assert.include(["pending", "sending"], delivery.state)
          assert.strictEqual(yield* mailsTo(`ada@${name}.example`), 0)
          service.mood = undefined
          const sent = yield* tenant.delivery(waiting, "email", "sent")
          // Nobody was asked to send it while nobody knew where to.
          assert.strictEqual(sent.attempts, 1)
          assert.strictEqual(yield* mailsTo(`ada@${name}.example`), 1)
        }).pipe(Effect.scoped),
      60_000
    )
  }

  it.effect("that goes away is stood in for by what it said last", () =>
    Effect.gen(function* () {
      const { service, tenant } = yield* externalTenant("service-stale", { cache_ms: 0 })
      service.users.set("ada", { email: "ada@service-stale.example" })
      yield* tenant.delivery(yield* mail(tenant, "ada"), "email", "sent")
      service.mood = json(500, {})
      yield* tenant.delivery(yield* mail(tenant, "ada"), "email", "sent")
      assert.strictEqual(yield* mailsTo("ada@service-stale.example"), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("says who is in an audience", () =>
    Effect.gen(function* () {
      const { service, tenant } = yield* externalTenant("service-audience")
      for (let number = 0; number < 7; number++) {
        const roles = number % 2 === 0 ? ["driver"] : ["customer"]
        service.users.set(`user-${number}`, { email: `user-${number}@service-audience.example`, roles })
      }
      const body = {
        audience: { role: "driver" },
        request_id: "all-drivers",
        notification_type: "news",
        title: "To all drivers",
        channels: ["email"]
      }
      const reached = yield* tenant.api("/notifications/broadcast", { body })
      assert.strictEqual(reached.accepted, 4)
      for (const number of [0, 2, 4, 6]) {
        yield* until(mailsTo(`user-${number}@service-audience.example`), (count) => count === 1)
      }
      service.mood = json(503, {})
      const refused = yield* Effect.flip(
        tenant.api("/notifications/broadcast", { body: { ...body, request_id: "again" } })
      )
      assert.strictEqual("status" in refused ? refused.status : undefined, 503)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves nothing of its account in the output", () =>
    Effect.gen(function* () {
      const { running, secrets } = yield* Services
      const output = [...running.stdout, ...running.stderr].join("\n")
      assert.include(output, "The user service gave no users")
      for (const secret of secrets) assert.isFalse(output.includes(secret))
    })
  )
})
