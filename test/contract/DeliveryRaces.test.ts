/**
 * Workers, providers and operators who come at the same moment: only a server has several backends.
 */
import { DeliveryId, deliveryChannels } from "@beckon/domain/Delivery"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { claimOf, claimWith, dead, drain, eventOf, minute, planned, push, reportOf, sent } from "./DeliveryFixtures.ts"
import { freshKey, noon } from "./Fixtures.ts"
import { layerPostgres } from "./SqlStores.ts"

layer(layerPostgres, { timeout: "60 seconds" })("deliveries on several backends", (it) => {
  it.effect("workers that claim at once get all there is, each something else, and none goes away empty", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const urgencies = [2, 5, 5, 9].map((urgency) => ({ ...push, urgency }))
      yield* planned(key, urgencies, 100)
      const claims = yield* Effect.all(
        Array.from({ length: 8 }, (_, index) =>
          store.claim({ channels: deliveryChannels, limit: 50, now: noon, lease: minute, worker: `worker-${index}` })
        ),
        { concurrency: "unbounded" }
      )
      expect(claims.map((each) => each.length)).toEqual(claims.map(() => 50))
      expect(new Set(claims.flat().map(({ delivery }) => delivery.id)).size).toBe(400)
      expect(yield* claimWith()).toEqual([])
    })
  )

  it.effect("news of a message and the word that it was sent find each other, whoever is first", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const sql = yield* SqlClient
      const key = freshKey()
      yield* planned(key, [push], 200)
      const claims = yield* claimOf(key)
      const pairs = claims.flatMap((one) => {
        const name = `race-${one.delivery.id}`
        return [
          store.report([reportOf(one, sent(name))], noon),
          Effect.asVoid(store.recordEvents([eventOf({ providerMessageId: name, state: "seen", code: "open" })], noon))
        ]
      })
      yield* Effect.all(pairs, { concurrency: 10, discard: true })
      expect(yield* store.counts(key.tenantId)).toEqual([{ channel: "push", state: "seen", count: 200 }])
      expect(yield* sql`select 1 from delivery_events where delivery_id is null and code = 'open'`).toEqual([])
    })
  )

  it.effect("news that were left waiting by a process that died are found by the next check", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const sql = yield* SqlClient
      const key = freshKey()
      yield* planned(key, [push])
      const [one] = yield* claimOf(key)
      if (one === undefined) return expect.unreachable()
      yield* store.recordEvents([eventOf({ providerMessageId: "left", state: "delivered" })], noon)
      // As if the process had died between the commit of its report and its look at what waits.
      yield* sql`
        update deliveries set state = 'sent', provider = 'fcm', provider_message_id = 'left' where id = ${one.delivery.id}`
      yield* store.reconcile(noon, minute)
      expect(yield* store.counts(key.tenantId)).toEqual([{ channel: "push", state: "delivered", count: 1 }])
    })
  )

  it.effect("operators who replay and discard at once deal with each dead delivery once", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push], 60)
      yield* store.report(
        (yield* claimOf(key)).map((one) => reportOf(one, dead)),
        noon
      )
      const ids = (yield* store.list(key.tenantId, { limit: 99 })).map(({ id }) => id)
      const target = { _tag: "Ids", ids } as const
      const replays = yield* Effect.all(
        [
          store.replay(key.tenantId, target, noon),
          store.replay(key.tenantId, { ...target, ids: ids.toReversed() }, noon),
          store.replay(key.tenantId, { _tag: "All", limit: 40 }, noon),
          Effect.as(store.discard(key.tenantId, { _tag: "All", channel: "push", limit: 20 }, noon), [])
        ],
        { concurrency: "unbounded" }
      )
      const replayed = replays.flat().map(({ id }) => id)
      expect(new Set(replayed).size).toBe(replayed.length)
      const rows = yield* store.list(key.tenantId, { limit: 999 })
      expect(rows.filter(({ replayOf }) => replayOf !== null)).toHaveLength(replayed.length)
      const resolutions = rows.filter(({ state }) => state === "dead").map(({ resolution }) => resolution)
      expect(resolutions.filter((resolution) => resolution === "replayed")).toHaveLength(replayed.length)
      expect(resolutions.filter((resolution) => resolution === null)).toEqual([])
    })
  )

  it.effect("the bus hears of each new state, in the transaction that makes it", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const outbox = yield* EventOutbox
      const sql = yield* SqlClient
      const key = freshKey()
      const [row] = yield* planned(key, [push, { ...push, channel: "webhook" }])
      const claims = yield* claimOf(key)
      yield* asOwner(sql`truncate event_outbox`)
      const report = store.report(
        claims.map((one) => reportOf(one, sent("bus"))),
        noon
      )
      const undone = Effect.andThen(report, Effect.fail("undone" as const))
      yield* Effect.flip(sql.withTransaction(undone))
      expect(yield* outbox.peek(9)).toEqual([])
      yield* report
      const told = claims.find(({ delivery }) => delivery.channel === "push")?.delivery.id ?? DeliveryId.make("none")
      const data = {
        deliveryId: told,
        notificationId: row?.id,
        userId: key.userId,
        channel: "push",
        state: "sent",
        provider: "fcm",
        reason: null
      }
      const entries = yield* outbox.peek(9)
      expect(entries).toMatchObject([{ topic: "delivery-status", key: row?.id, headers: { tenant: key.tenantId } }])
      expect(JSON.parse(entries[0]?.value ?? "")).toEqual({
        type: "delivery.sent",
        timestamp: DateTime.formatIso(noon),
        data
      })
    })
  )
})
