/**
 * Changes that truly run at the same time: only a server has several backends, and only a held lock makes them meet.
 */
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { expect, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { freshKey, freshTenant, hoursAfterNoon, noon, notification, seqsOf } from "./Fixtures.ts"
import { layerPostgres } from "./SqlStores.ts"

layer(layerPostgres, { timeout: "60 seconds" })("SQL stores on several backends", (it) => {
  it.effect("two changes of the same notifications: the second finds nothing left to do, and none deadlocks", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const sql = yield* SqlClient
      const key = freshKey()
      yield* store.load([key])
      const rows = Array.from({ length: 5 }, (_, index) => notification(key, index + 1))
      yield* store.append(rows)
      const ids = rows.map(({ id }) => id)
      const locked = yield* Deferred.make<void>()
      const afterLock = <A, E>(change: Effect.Effect<A, E>) =>
        Effect.forkChild(Effect.andThen(Deferred.await(locked), change))
      const fibers = [
        yield* afterLock(store.setRead(key, ids, true, noon)),
        yield* afterLock(store.setRead(key, ids.toReversed(), true, hoursAfterNoon(1)))
      ]
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select 1 from mailboxes where tenant_id = ${key.tenantId} for update`
          yield* Deferred.succeed(locked, undefined)
          yield* Effect.repeat(sql<{ waiting: bigint }>`select count(*) as waiting from pg_locks where not granted`, {
            until: ([row]) => row?.waiting === 2n
          })
        })
      )
      const results = yield* Effect.forEach(fibers, Fiber.join)
      const [nothing, everything] = results.toSorted((left, right) => left.changes.length - right.changes.length)
      expect(nothing).toEqual({ rev: 1, unread: 0, changes: [] })
      expect(everything).toMatchObject({ rev: 1, unread: 0 })
      expect(seqsOf(everything?.changes ?? [])).toEqual([1, 2, 3, 4, 5])
      expect((yield* store.load([key]))[0]).toMatchObject({ rev: 1, unread: 0 })
    })
  )

  /** Lets `first` and then `second` wait for rows that `lock` has locked, and then lets them go on in this order. */
  const queued = Effect.fnUntraced(function* <E1, R1, A2, E2, R2, A3, E3, R3>(
    lock: Effect.Effect<unknown, E1, R1>,
    first: Effect.Effect<A2, E2, R2>,
    second: Effect.Effect<A3, E3, R3>
  ) {
    const sql = yield* SqlClient
    const [locked, waits] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const waiting = (count: bigint) =>
      Effect.repeat(sql<{ waiting: bigint }>`select count(*) as waiting from pg_locks where not granted`, {
        until: ([row]) => row?.waiting === count
      })
    const one = yield* Effect.forkChild(Effect.andThen(Deferred.await(locked), first))
    const other = yield* Effect.forkChild(Effect.andThen(Deferred.await(waits), second))
    yield* sql.withTransaction(
      Effect.gen(function* () {
        yield* lock
        yield* Deferred.succeed(locked, undefined)
        yield* waiting(1n)
        yield* Deferred.succeed(waits, undefined)
        yield* waiting(2n)
      })
    )
    return [yield* Fiber.join(one), yield* Fiber.join(other)] as const
  })

  it.effect("a template that is removed takes along the version that was put while it waited", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const sql = yield* SqlClient
      const tenantId = freshTenant()
      const put = store.put(tenantId, "order", { texts: { default: { title: "t", message: "m" } } }, true, noon)
      yield* put
      const [saved, removed] = yield* queued(
        sql`select 1 from templates where tenant_id = ${tenantId} for update`,
        put,
        store.remove(tenantId, "order")
      )
      expect([saved.version, removed]).toEqual([2, true])
      expect(yield* sql`select 1 from template_versions where tenant_id = ${tenantId}`).toEqual([])
      expect((yield* put).version).toBe(1)
    })
  )

  it.effect("a version that is put while the template is removed is the first of a new one", () =>
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const sql = yield* SqlClient
      const tenantId = freshTenant()
      const put = store.put(tenantId, "order", { texts: { default: { title: "t", message: "m" } } }, true, noon)
      yield* put
      const [removed, saved] = yield* queued(
        sql`select 1 from templates where tenant_id = ${tenantId} for update`,
        store.remove(tenantId, "order"),
        put
      )
      expect([removed, saved.version]).toEqual([true, 1])
      expect(yield* store.versions(tenantId, "order")).toEqual([{ version: 1, createdAt: noon }])
    })
  )

  it.effect("a webhook endpoint that is removed takes along the secret that came while it waited", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const sql = yield* SqlClient
      const tenantId = freshTenant()
      const secret = Redacted.make("whsec_c2VjcmV0")
      yield* store.create(tenantId, "one", { url: "https://a.example" }, secret, noon)
      const results = yield* queued(
        sql`select 1 from webhook_endpoints where tenant_id = ${tenantId} for update`,
        store.rotate(tenantId, "one", secret, hoursAfterNoon(1), noon),
        store.remove(tenantId, "one")
      )
      expect(results).toEqual([true, true])
      expect(yield* sql`select 1 from webhook_secrets where tenant_id = ${tenantId}`).toEqual([])
    })
  )
})
