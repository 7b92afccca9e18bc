/**
 * Topics between nodes by Redis's publish and subscribe; on a Redis Cluster within the shard that owns the channel (Redis 7).
 *
 * **Details**
 *
 * One connection for all subscriptions of the process. When it breaks it comes back by itself, with its subscriptions; a
 * `PING` now and then finds out that it broke without a word.
 */
import { TopicBus, topicBacklog, TopicBusUnavailable } from "@beckon/domain/ports/TopicBus"
import { Duration, Effect, Layer, Queue, Schedule, Semaphore, Stream } from "effect"
import { RedisClient, unavailable } from "./RedisClient.ts"

const pingInterval = Duration.seconds(5)

const make = Effect.gen(function* () {
  const redis = yield* RedisClient
  const connection = yield* redis.connect()
  // In small letters, by which ioredis finds the connection for them on a cluster.
  const words = redis.isCluster
    ? { publish: "spublish", subscribe: "ssubscribe", unsubscribe: "sunsubscribe", message: "smessage" }
    : { publish: "publish", subscribe: "subscribe", unsubscribe: "unsubscribe", message: "message" }
  const channels = new Map<string, Set<Queue.Queue<string>>>()
  // Subscribing and leaving one after the other, so that the last to leave does not cut off the next to come.
  const turn = Semaphore.makeUnsafe(1)

  connection.on(words.message, (channel: string, json: string) => {
    for (const queue of channels.get(channel) ?? []) Queue.offerUnsafe(queue, json)
  })
  const call = (command: string, ...args: ReadonlyArray<string>) =>
    Effect.tryPromise({
      try: () => Promise.resolve(connection.call(command, ...args)),
      catch: (cause) => unavailable(command, cause)
    })
  yield* Effect.ignore(Effect.suspend(() => (channels.size === 0 ? Effect.void : call("PING")))).pipe(
    Effect.repeat(Schedule.spaced(pingInterval)),
    Effect.forkScoped
  )

  const join = (channel: string, queue: Queue.Queue<string>) =>
    turn.withPermit(
      Effect.suspend(() => {
        const queues = channels.get(channel)
        if (queues !== undefined) return Effect.sync(() => void queues.add(queue))
        return Effect.map(call(words.subscribe, channel), () => void channels.set(channel, new Set([queue])))
      })
    )
  const leave = (channel: string, queue: Queue.Queue<string>) =>
    turn.withPermit(
      Effect.suspend(() => {
        const queues = channels.get(channel)
        queues?.delete(queue)
        if (queues?.size !== 0) return Effect.void
        channels.delete(channel)
        return Effect.ignore(call(words.unsubscribe, channel))
      })
    )

  return TopicBus.of({
    publish: (topic, json) =>
      redis.send(words.publish, redis.spreadKey("topic", topic), json).pipe(
        Effect.mapError((cause) => new TopicBusUnavailable({ topic, cause })),
        Effect.asVoid
      ),

    subscribe: Effect.fnUntraced(function* (topic) {
      const channel = redis.spreadKey("topic", topic)
      const queue = yield* Effect.acquireRelease(Queue.sliding<string>(topicBacklog), Queue.shutdown)
      yield* Effect.acquireRelease(
        Effect.mapError(join(channel, queue), (cause) => new TopicBusUnavailable({ topic, cause })),
        () => leave(channel, queue)
      )
      return Stream.fromQueue(queue)
    })
  })
})

/** Topics in Redis. */
export const layer: Layer.Layer<TopicBus, never, RedisClient> = Layer.effect(TopicBus, make)
