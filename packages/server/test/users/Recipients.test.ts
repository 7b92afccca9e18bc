import { assert, describe, it } from "@effect/vitest"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { DateTime, Deferred, Duration, Effect, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { ExternalRecipients } from "@beckon/domain/Tenant"
import * as MemoryTenantSecretStore from "@beckon/infra/memory/MemoryTenantSecretStore"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import { ExternalUsers, UserServiceFailed } from "@beckon/infra/users/ExternalUsers"
import type { ExternalUser } from "@beckon/infra/users/ExternalUsers"
import { Tenants } from "../../src/tenants/Tenants.ts"
import * as RecipientDirectory from "../../src/users/RecipientDirectory.ts"
import { Recipients } from "../../src/users/Recipients.ts"
import { UserServices } from "../../src/users/UserServices.ts"

const acme = TenantId.make("acme")
const id = (name: string) => UserId.make(name)
const [ada, bob, eve] = [id("ada"), id("bob"), id("eve")]
const now = DateTime.makeUnsafe(0)

const user = (userId: UserId, other: Partial<ExternalUser> = {}): ExternalUser => ({
  userId,
  name: null,
  email: `${userId}@example.com`,
  phone: null,
  image: null,
  language: null,
  timeZone: null,
  roles: [],
  ...other
})

type Answer = Effect.Effect<ReadonlyArray<ExternalUser>, UserServiceFailed>

/** A service that answers as it is told, and remembers what it was asked. */
class FakeService {
  readonly asked: Array<ReadonlyArray<UserId>> = []
  answer: Answer = Effect.succeed([user(ada), user(bob)])

  readonly layer = Layer.succeed(ExternalUsers, {
    find: (_service, userIds) =>
      Effect.suspend(() => {
        this.asked.push(userIds)
        return Effect.map(this.answer, (users) => users.filter(({ userId }) => userIds.includes(userId)))
      }),
    list: () => this.answer
  })

  readonly all = RecipientDirectory.layer.pipe(
    Layer.provideMerge(Recipients.layer),
    Layer.provideMerge(UserServices.layer),
    Layer.provide(this.layer),
    Layer.provideMerge(Tenants.layer),
    Layer.provideMerge(MemoryTenantStore.layer),
    Layer.provideMerge(MemoryUserDirectory.layer),
    Layer.provide([MemoryTenantSecretStore.layer, MemoryTopicBus.layer, CircuitBreaker.layerStoreMemory()])
  )
}

const down = Effect.fail(new UserServiceFailed({ code: "status", status: 503, detail: "it answered 503" }))

const setUp = (recipients: Partial<ExternalRecipients> = {}) =>
  TenantStore.use((store) =>
    store.create(
      {
        id: acme,
        name: "Acme",
        settings: { recipients: { source: "external", url: "https://users.example.com", ...recipients } }
      },
      now
    )
  )

/** The clock goes on while there is something to wait for. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(effect)
    while (running.pollUnsafe() === undefined) yield* TestClock.adjust("200 millis")
    return yield* Fiber.join(running)
  })

/** Who is known, and who is unresolved. */
const ask = (...userIds: ReadonlyArray<UserId>) =>
  Effect.gen(function* () {
    const recipients = yield* Recipients
    const { unresolved, users } = yield* inTime(recipients.resolve(acme, userIds))
    return { known: [...users.keys()].toSorted(), unresolved: [...unresolved] }
  })

const run = <A, E>(
  service: FakeService,
  effect: Effect.Effect<A, E, Layer.Success<FakeService["all"]>>
): Effect.Effect<A, E> => Effect.provide(effect, service.all)

describe("Recipients", () => {
  it.effect("are those of the directory for a tenant that has set nothing else", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        const directory = yield* UserDirectory
        yield* directory.create(acme, eve, { email: "eve@example.com" }, now)
        assert.deepStrictEqual(yield* ask(eve, ada), { known: [eve], unresolved: [] })
        assert.deepStrictEqual(service.asked, [])
      })
    )
  })

  it.effect("are asked for once in five minutes, an unknown one once in half a minute", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        assert.deepStrictEqual(yield* ask(ada, eve), { known: [ada], unresolved: [] })
        assert.deepStrictEqual(yield* ask(ada, eve, bob), { known: [ada, bob], unresolved: [] })
        assert.deepStrictEqual(service.asked, [[ada, eve], [bob]])
        yield* TestClock.adjust("31 seconds")
        yield* ask(ada, eve)
        assert.deepStrictEqual(service.asked.slice(2), [[eve]])
        yield* TestClock.adjust("5 minutes")
        yield* ask(ada)
        assert.deepStrictEqual(service.asked.slice(3), [[ada]])
      })
    )
  })

  it.effect("are asked for a hundred at a time, and by two askers once", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        const many = Array.from({ length: 250 }, (_, index) => id(`user-${index}`))
        const go = Deferred.makeUnsafe<void>()
        service.answer = Effect.as(
          Deferred.await(go),
          many.map((userId) => user(userId))
        )
        const recipients = yield* Recipients
        const first = yield* Effect.forkChild(recipients.resolve(acme, many))
        const second = yield* Effect.forkChild(recipients.resolve(acme, many))
        yield* TestClock.adjust("1 second")
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual((yield* Fiber.join(first)).users.size, 250)
        assert.strictEqual((yield* Fiber.join(second)).users.size, 250)
        assert.deepStrictEqual(
          service.asked.map(({ length }) => length),
          [100, 100, 50]
        )
      })
    )
  })

  it.effect("while the service is down are what it said last, for an hour; of others nothing is said", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        yield* ask(ada, eve)
        service.answer = down
        yield* TestClock.adjust("6 minutes")
        assert.deepStrictEqual(yield* ask(ada, eve, bob), { known: [ada], unresolved: [bob] })
        const directory = yield* UserDirectory
        const error = yield* inTime(Effect.flip(directory.find(acme, [bob])))
        assert.strictEqual(error._tag, "StoreUnavailable")
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* ask(ada), { known: [], unresolved: [ada] })
        service.answer = Effect.succeed([user(ada), user(bob)])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* ask(ada, bob), { known: [ada, bob], unresolved: [] })
      })
    )
  })

  it.effect("of a service that is dead are not asked for any more, until half a minute has passed", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp({ cacheMs: 0, staleMs: 0 })
        service.answer = down
        for (let call = 0; call < 5; call++) yield* ask(ada)
        // Three requests for each call.
        assert.strictEqual(service.asked.length, 15)
        const recipients = yield* Recipients
        const refused = yield* recipients.resolve(acme, [ada])
        assert.deepStrictEqual([...refused.unresolved], [ada])
        assert.isTrue(refused.retryAfter > 10_000 && refused.retryAfter <= 30_000, String(refused.retryAfter))
        assert.strictEqual(service.asked.length, 15)
        service.answer = Effect.succeed([user(ada)])
        yield* TestClock.adjust("31 seconds")
        assert.deepStrictEqual(yield* ask(ada), { known: [ada], unresolved: [] })
      })
    )
  })

  it.effect("are not asked for again where another try would change nothing", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        service.answer = Effect.fail(new UserServiceFailed({ code: "status", status: 401, detail: "it answered 401" }))
        assert.deepStrictEqual(yield* ask(ada), { known: [], unresolved: [ada] })
        assert.strictEqual(service.asked.length, 1)
        service.answer = Effect.fail(
          new UserServiceFailed({ code: "status", status: 429, retryAfter: 60_000, detail: "it answered 429" })
        )
        const refused = yield* (yield* Recipients).resolve(acme, [ada])
        assert.deepStrictEqual([service.asked.length, refused.retryAfter], [2, 60_000])
      })
    )
  })

  it.effect("whose answer takes longer than the asker's patience are there for the next one", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        service.answer = Effect.delay(Effect.succeed([user(ada)]), "4 seconds")
        const recipients = yield* Recipients
        const asking = yield* Effect.forkChild(recipients.resolve(acme, [ada], Duration.seconds(2)))
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual([...(yield* Fiber.join(asking)).unresolved], [ada])
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* ask(ada), { known: [ada], unresolved: [] })
        assert.strictEqual(service.asked.length, 1)
      })
    )
  })

  it.effect("of another service than before are asked for anew, and their time zones are kept for the planner", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        service.answer = Effect.succeed([user(ada, { timeZone: "Asia/Tokyo", name: "Ada" })])
        yield* ask(ada)
        const store = yield* TenantStore
        const tenants = yield* Tenants
        const settings = { recipients: { source: "external", url: "https://other.example.com" } } as const
        yield* store.update(acme, { settings }, undefined, now)
        yield* tenants.changed(acme)
        yield* ask(ada)
        assert.deepStrictEqual(service.asked, [[ada], [ada]])
        yield* store.update(acme, { settings: {} }, undefined, now)
        yield* tenants.changed(acme)
        const [kept] = yield* (yield* UserDirectory).find(acme, [ada])
        assert.deepInclude(kept, { timeZone: "Asia/Tokyo", name: null, email: null })
      })
    )
  })
})

describe("RecipientDirectory", () => {
  it.effect("gives names of the service, and those of tokens where it gives none", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        service.answer = Effect.succeed([user(ada, { name: "Ada of the service" }), user(bob)])
        const directory = yield* UserDirectory
        for (const userId of [ada, bob, eve]) {
          yield* directory.remember(acme, { userId, name: `${userId} of a token`, email: null, image: null })
        }
        const lookup = Effect.map(directory.lookup(acme, [ada, bob, eve]), (profiles) =>
          profiles.map(({ name }) => name)
        )
        assert.deepStrictEqual(yield* lookup, ["Ada of the service", "bob of a token", "eve of a token"])
        service.answer = down
        yield* TestClock.adjust("2 hours")
        assert.deepStrictEqual(yield* inTime(lookup), ["ada of a token", "bob of a token", "eve of a token"])
      })
    )
  })

  it.effect("lists what the service lists", () => {
    const service = new FakeService()
    return run(
      service,
      Effect.gen(function* () {
        yield* setUp()
        const directory = yield* UserDirectory
        const listed = yield* directory.list(acme, { role: "driver", limit: 10 })
        assert.deepStrictEqual(
          listed.map(({ userId }) => userId),
          [ada, bob]
        )
        assert.isTrue(Option.isSome(yield* (yield* Recipients).externalOf(acme)))
      })
    )
  })
})
