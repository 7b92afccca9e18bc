import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import * as MemoryFriendshipStore from "@beckon/infra/memory/MemoryFriendshipStore"
import * as MemoryPresence from "@beckon/infra/memory/MemoryPresence"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryTopicSnapshots from "@beckon/infra/memory/MemoryTopicSnapshots"
import * as MemoryTrackingGrants from "@beckon/infra/memory/MemoryTrackingGrants"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import { GatewaySettings } from "../../src/gateway/GatewaySettings.ts"
import { Sessions } from "../../src/gateway/Sessions.ts"
import { Locations } from "../../src/topics/Locations.ts"
import { PresenceNews } from "../../src/topics/PresenceNews.ts"
import { TopicAccess } from "../../src/topics/TopicAccess.ts"
import { TopicChannels } from "../../src/topics/TopicChannels.ts"
import { TopicChecks } from "../../src/topics/TopicChecks.ts"
import { Topics } from "../../src/topics/Topics.ts"
import { checkInterval, Watching } from "../../src/topics/Watching.ts"
import { makeSession } from "../gateway/FakeSocket.ts"

const acme = TenantId.make("acme")
const topic = "tracking:driver:dan"

let isDown = false

/** Grants that the test may take away from everybody who asks. */
const layerGrants = Layer.effect(
  TrackingGrants,
  Effect.map(TrackingGrants, (grants) => ({
    ...grants,
    areGranted: (...asked: Parameters<typeof grants.areGranted>) =>
      isDown
        ? Effect.fail(new StoreUnavailable({ operation: "areGranted", cause: new Error("down") }))
        : grants.areGranted(...asked)
  }))
).pipe(Layer.provide(MemoryTrackingGrants.layer))

const layer = Watching.layer.pipe(
  Layer.provide(PresenceNews.layer),
  Layer.provide(Locations.layer),
  Layer.provideMerge(Layer.mergeAll(Topics.layer, TopicChannels.layer, TopicChecks.layer, TopicAccess.layer)),
  Layer.provideMerge(Layer.mergeAll(Sessions.layer, GatewaySettings.layer(), layerGrants)),
  Layer.provide(UwsServer.layer({ host: "127.0.0.1", port: 0 })),
  Layer.provide([MemoryTopicBus.layer, MemoryTopicSnapshots.layer, MemoryPresence.layer(), MemoryFriendshipStore.layer])
)

/** Ada has an order of Dan that ends in an hour, and watches him. */
const watched = Effect.gen(function* () {
  const grants = yield* TrackingGrants
  const at = yield* DateTime.now
  const until = DateTime.addDuration(at, Duration.hours(1))
  const driverId = UserId.make("dan")
  yield* grants.apply(acme, [{ orderId: "1", customerId: UserId.make("ada"), driverId, at, until }])
  const { session, socket } = makeSession()
  ;(yield* Sessions).add(session)
  yield* (yield* Watching).watch(session, topic)
  return { session, socket, channels: yield* TopicChannels }
})

describe("the right to watch", () => {
  it.effect("ends with its time, without a word from anybody", () =>
    Effect.gen(function* () {
      const { channels, session, socket } = yield* watched
      yield* TestClock.adjust("59 minutes")
      assert.isTrue(channels.watches(session, topic))
      yield* TestClock.adjust(Duration.sum(Duration.minutes(1), checkInterval))
      assert.isFalse(channels.watches(session, topic))
      assert.deepStrictEqual(
        socket.texts.map((text) => JSON.parse(text)),
        [{ _tag: "TopicEnd", topic, reason: "topic: no active order of yours is with this driver" }]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("stays while the store does not answer, and is asked for again", () =>
    Effect.gen(function* () {
      const { channels, session } = yield* watched
      isDown = true
      yield* TestClock.adjust("2 hours")
      assert.isTrue(channels.watches(session, topic))
      isDown = false
      yield* TestClock.adjust(checkInterval)
      assert.isFalse(channels.watches(session, topic))
    }).pipe(Effect.provide(layer))
  )

  it.effect("changes with the identity of the socket", () =>
    Effect.gen(function* () {
      const { channels, session } = yield* watched
      session.identity = { ...session.identity, scopes: ["inbox:write"] }
      yield* TestClock.adjust(checkInterval)
      assert.isFalse(channels.watches(session, topic))
    }).pipe(Effect.provide(layer))
  )
})
