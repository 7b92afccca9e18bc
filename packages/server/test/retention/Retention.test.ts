import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Layer, Queue } from "effect"
import { NotificationStore, StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { RetentionStore } from "@beckon/domain/ports/RetentionStore"
import type { Kept } from "@beckon/domain/ports/RetentionStore"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { TenantSettings } from "@beckon/domain/Tenant"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import * as Retention from "../../src/retention/Retention.ts"
import { attach, draft, keyOf, layer, Recorder, seqsOf, session, tenantId } from "../mailbox/Fixture.ts"

const positionOf = ({ head }: { readonly head: { readonly epoch: string } }, seq: number) => ({
  epoch: head.epoch,
  seq,
  rev: 0
})

/** `count` notifications; those before `fresh` are ten days old. */
const filled = Effect.fnUntraced(function* (user: string, count: number, fresh: number) {
  const store = yield* NotificationStore
  const mailboxes = yield* Mailboxes
  yield* mailboxes.deliver(Array.from({ length: count }, () => draft(user)))
  const rows = yield* store.after(keyOf(user), 0, count, count)
  // A store in memory gives copies out: aged rows take the place of what was delivered.
  yield* store.erase(keyOf(user))
  yield* store.load([keyOf(user)])
  const now = yield* DateTime.now
  yield* store.append(
    rows.map((row) => (row.seq < fresh ? { ...row, createdAt: DateTime.subtract(now, { days: 10 }) } : row))
  )
  yield* mailboxes.changeState(keyOf(user), { _tag: "Trim", uptoSeq: 0 })
})

const layerOf = (settings: TenantSettings, sweep: RetentionStore["Service"]["sweep"] = () => Effect.succeed(0)) =>
  Layer.mergeAll(
    layer(),
    Layer.succeed(RetentionStore, { sweep, takeDuty: () => Effect.succeed(true) }),
    Layer.effectDiscard(
      Effect.gen(function* () {
        yield* (yield* TenantStore).create({ id: tenantId, name: "Acme", settings }, yield* DateTime.now)
      })
    ).pipe(Layer.provideMerge(MemoryTenantStore.layer))
  )

const round = Effect.flatMap(Retention.make({ every: Duration.hours(1), pause: 0 }), ({ turn }) => turn)

describe("retention", () => {
  it.live("a client that comes back from before what is kept is told so, others go on", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      yield* mailboxes.deliver(Array.from({ length: 10 }, () => draft("ada")))
      const first = yield* attach("ada", "phone")
      assert.deepStrictEqual(yield* mailboxes.changeState(keyOf("ada"), { _tag: "Trim", uptoSeq: 4 }), {
        changed: 4,
        unread: 6
      })
      const behind = yield* attach("ada", "tablet", positionOf(first, 3))
      assert.isFalse(behind.recovered)
      assert.deepStrictEqual(seqsOf(behind.frames), [5, 6, 7, 8, 9, 10])
      const atFloor = yield* attach("ada", "laptop", positionOf(first, 4))
      assert.isTrue(atFloor.recovered)
      assert.deepStrictEqual(seqsOf(atFloor.frames), [5, 6, 7, 8, 9, 10])

      yield* mailboxes.deliver([draft("ada")])
      assert.deepStrictEqual(seqsOf((yield* Recorder).framesOf(session("phone"))), [11])
    }).pipe(Effect.provide(layer()))
  )

  it.live("a trim whose answer is lost is no gap for those who come back", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      yield* mailboxes.deliver(Array.from({ length: 10 }, () => draft("ada")))
      const first = yield* attach("ada", "phone")
      yield* Effect.flip(mailboxes.changeState(keyOf("ada"), { _tag: "Trim", uptoSeq: 6 }))
      const behind = yield* attach("ada", "tablet", positionOf(first, 3))
      assert.isFalse(behind.recovered)
      assert.deepStrictEqual(seqsOf(behind.frames), [7, 8, 9, 10])
    }).pipe(
      Effect.provide(
        layer({
          store: (store) => ({
            ...store,
            trim: (...args) =>
              Effect.andThen(
                store.trim(...args),
                Effect.fail(new StoreUnavailable({ operation: "NotificationStore.trim", cause: "the answer is lost" }))
              )
          })
        })
      )
    )
  )

  it.live("an erased user's clients begin anew, under another epoch", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      yield* mailboxes.deliver([draft("ada"), draft("ada")])
      const before = yield* attach("ada", "phone")
      assert.deepStrictEqual(yield* mailboxes.changeState(keyOf("ada"), { _tag: "Erase" }), { changed: 2, unread: 0 })
      assert.strictEqual(yield* Queue.take((yield* Recorder).reattached), session("phone"))
      const after = yield* attach("ada", "phone", positionOf(before, 2))
      assert.isFalse(after.recovered)
      assert.deepStrictEqual(after.frames, [])
      assert.notStrictEqual(after.head.epoch, before.head.epoch)
      const [accepted] = yield* mailboxes.deliver([draft("ada")])
      assert.deepInclude(accepted, { seq: 1, duplicate: false })
    }).pipe(Effect.provide(layer()))
  )

  it.live("a round takes what is older than the tenant keeps, of every mailbox, however much it is", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      yield* filled("ada", 4_500, 4_400)
      yield* filled("bob", 3, 1)
      yield* round
      const [ada, bob] = yield* store.load([keyOf("ada"), keyOf("bob")])
      assert.deepInclude(ada, { seq: 4_500, floor: 4_399, unread: 101 })
      assert.deepInclude(bob, { seq: 3, floor: 0, unread: 3 })
    }).pipe(Effect.provide(layerOf({ retention: { notifications: 7 } })))
  )

  it.live("what a tenant sets no days for is kept", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      yield* filled("ada", 3, 3)
      yield* round
      assert.deepInclude((yield* store.load([keyOf("ada")]))[0], { floor: 0, unread: 3 })
    }).pipe(Effect.provide(layerOf({ retention: { deliveries: 7 } })))
  )

  it.live("other kinds are swept piece by piece, and one that fails stops no other round", () => {
    const swept: Array<readonly [Kept, number]> = []
    let left = 1_200
    const sweep: RetentionStore["Service"]["sweep"] = (_tenant, kept, _before, limit) =>
      Effect.suspend(() => {
        const gone = kept === "deliveries" ? Math.min(limit, left) : 0
        left -= gone
        swept.push([kept, gone])
        return kept === "audit"
          ? Effect.fail(new StoreUnavailable({ operation: "RetentionStore.sweep", cause: "down" }))
          : Effect.succeed(gone)
      })
    return Effect.gen(function* () {
      yield* round
      assert.deepStrictEqual(swept, [
        ["deliveries", 500],
        ["deliveries", 500],
        ["deliveries", 200],
        ["deliveries", 0],
        ["audit", 0]
      ])
    }).pipe(Effect.provide(layerOf({ retention: { deliveries: 1, audit: 1 } }, sweep)))
  })
})
