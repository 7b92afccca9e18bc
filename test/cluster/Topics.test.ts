/**
 * Topics between nodes: published on one, watched on others, while a node is killed.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Queue, Schedule, Stream } from "effect"
import { InboxClient } from "@beckon/client/InboxClient"
import type { TopicEvent } from "@beckon/client/InboxClient"
import { bareSocket, call, service, token } from "../integration/road/Road.ts"
import { Cluster, lease } from "./ClusterNodes.ts"
import * as Mishaps from "./Mishaps.ts"

const { nodeOf } = Mishaps

const watching = Effect.fnUntraced(function* (url: string, user: string, topic: string, roles = ["user"]) {
  const client = yield* InboxClient.make({
    url,
    token: token({ sub: user, roles }),
    subscribe: false,
    backoff: { base: "100 millis", max: "500 millis" }
  })
  const events = yield* Queue.unbounded<TopicEvent>()
  yield* Effect.forkScoped(Stream.runForEach(client.watch(topic), (event) => Queue.offer(events, event)))
  return { client, events }
})

const next = (events: Queue.Queue<TopicEvent>, tag: TopicEvent["_tag"]) =>
  Effect.repeat(Queue.take(events), { until: (event) => event._tag === tag })

const order = (url: string, eventId: string, eventType: string) =>
  call(url, "/api/v1/events", {
    token: service,
    body: {
      eventId,
      eventType,
      orderId: "cluster-1",
      customerId: "carla",
      driverId: "dan",
      timestamp: new Date().toISOString()
    }
  }).pipe(
    Effect.filterOrFail(({ status }) => status === 202),
    Effect.retry(Schedule.spaced("500 millis").pipe(Schedule.upTo({ duration: "30 seconds" })))
  )

layer(Cluster.layer, { timeout: "120 seconds", excludeTestServices: true })("topics between three nodes", (it) => {
  it.effect("reach the watchers of every node in the order of their publisher", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const urls = [0, 1, 2].map((index) => nodeOf(cluster, index).url)
      const watchers = yield* Effect.forEach(urls, (url, index) => watching(url, `user-${index}`, "app:news"))
      for (const { events } of watchers) yield* next(events, "Watching")
      const shop = yield* bareSocket(nodeOf(cluster, 0).url, service)
      for (let count = 0; count < 200; count++) {
        assert.strictEqual((yield* shop.rpc("Publish", { topic: "app:news", data: count }))._tag, "Success")
      }
      for (const { events } of watchers) {
        for (let count = 0; count < 200; count++) {
          const event = yield* next(events, "Message")
          assert.strictEqual(event._tag === "Message" && event.data, count)
        }
      }
    })
  )

  it.effect("the end of an order, told to one node, cuts the follower on another", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const [one, two] = [nodeOf(cluster, 0), nodeOf(cluster, 1)]
      yield* order(one.url, "c1", "driver_assigned")
      const carla = yield* bareSocket(two.url, token({ sub: "carla", roles: ["customer"] }))
      assert.strictEqual((yield* carla.rpc("Watch", { topic: "tracking:driver:dan" }))._tag, "Success")
      yield* order(one.url, "c2", "order_delivered")
      const told = yield* Effect.repeat(Queue.take(carla.messages), { until: ({ _tag }) => _tag === "TopicEnd" })
      assert.strictEqual(told.topic, "tracking:driver:dan")
    })
  )

  it.effect("a killed node's watchers watch again elsewhere and know it, and its users are told to be gone", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const [one, two] = [nodeOf(cluster, 0), nodeOf(cluster, 1)]
      cluster.nodes.forEach((node) => (node.offered = node === two))
      const { events } = yield* watching(cluster.url, "ulla", "app:after")
      const friend = yield* watching(one.url, "shop", "presence:ulla", ["service"])
      yield* next(events, "Watching")
      const before = yield* next(friend.events, "Watching")
      assert.isTrue(before._tag === "Watching" && JSON.stringify(before.snapshot).includes('"online":true'))
      yield* cluster.end(two, "SIGKILL")
      const gone = yield* next(friend.events, "Message")
      assert.isTrue(gone._tag === "Message" && JSON.stringify(gone.data).includes('"online":false'))
      one.offered = true
      const again = yield* next(events, "Watching")
      assert.isTrue(again._tag === "Watching" && again.missed)
      const back = yield* next(friend.events, "Message")
      assert.isTrue(back._tag === "Message" && JSON.stringify(back.data).includes('"online":true'))
      yield* friend.client.publish("app:after", "you are back")
      const message = yield* next(events, "Message")
      assert.strictEqual(message._tag === "Message" && message.data, "you are back")
      yield* cluster.start(two)
      cluster.nodes.forEach((node) => (node.offered = true))
    }).pipe(Effect.timeout(lease * 15))
  )
})
