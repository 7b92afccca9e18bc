/**
 * Changes that truly run at the same time: only a server has several backends, and only a held lock makes them meet.
 */
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { expect, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { freshKey, hoursAfterNoon, noon, notification, seqsOf } from "./Fixtures.ts"
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
})
