import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { ShardId, Sharding } from "effect/cluster"
import { GatewayId, NotificationId } from "@beckon/domain/Identifiers"
import { Unavailable } from "@beckon/domain/Problem"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import { MailboxSettings } from "../../src/mailbox/MailboxSettings.ts"
import { draft, keyOf, session } from "./Fixture.ts"

/** A cluster in which every call of a partition does `onCall`, with the number of the call. */
const clusterOf = (onCall: (count: number) => Effect.Effect<unknown>) => {
  let count = 0
  const call = () => Effect.suspend(() => onCall(++count))
  const client = () => ({ Attach: call, Detach: call, Acknowledge: call, ChangeState: call, Deliver: call })
  const sharding = Layer.mock(Sharding.Sharding, {
    getShardId: (id) => ShardId.make("default", Number(id.slice(2)) % 64),
    hasShardId: () => false,
    // The type of a client follows from the entity, which a double cannot know.
    // oxlint-disable-next-line typescript/no-explicit-any -- as above
    makeClient: (() => Effect.succeed(client)) as any
  })
  const layer = Mailboxes.layer.pipe(Layer.provide([sharding, MailboxSettings.layer()]))
  return { layer, count: () => count }
}

/** What effect/cluster does to the calls of a partition that moves. */
const movesOnce = (count: number) =>
  count === 1
    ? Effect.interrupt
    : Effect.succeed([{ notificationId: NotificationId.make("n"), seq: 1, duplicate: true }])

const attach = { key: keyOf("ada"), gatewayId: GatewayId.make("g"), sessionId: session("s") }

describe("a call whose partition moves while it is served", () => {
  it.live("is asked again of the new node, when it may be done twice", () =>
    Effect.gen(function* () {
      const cluster = clusterOf(movesOnce)
      yield* Effect.gen(function* () {
        const mailboxes = yield* Mailboxes
        yield* mailboxes.attach(attach)
        assert.strictEqual(cluster.count(), 2)
      }).pipe(Effect.provide(cluster.layer))
      const other = clusterOf(movesOnce)
      yield* Effect.gen(function* () {
        const mailboxes = yield* Mailboxes
        assert.lengthOf(yield* mailboxes.deliver([draft("ada", { dedupeKey: "k" })]), 1)
        assert.strictEqual(other.count(), 2)
      }).pipe(Effect.provide(other.layer))
    })
  )

  it.live("fails, and does not end its caller, when it may not be done twice", () =>
    Effect.gen(function* () {
      const cluster = clusterOf(movesOnce)
      const error = yield* Effect.flatMap(Mailboxes, (mailboxes) =>
        mailboxes.deliver([draft("ada", { dedupeKey: "k" }), draft("ada")])
      ).pipe(Effect.flip, Effect.provide(cluster.layer))
      assert.instanceOf(error, Unavailable)
      assert.strictEqual(cluster.count(), 1)
    })
  )

  it.live("ends when its caller is interrupted", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const cluster = clusterOf(() => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
      const fiber = yield* Effect.forkChild(
        Effect.flatMap(Mailboxes, (mailboxes) => mailboxes.attach(attach)).pipe(Effect.provide(cluster.layer))
      )
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.strictEqual(cluster.count(), 1)
    })
  )
})
