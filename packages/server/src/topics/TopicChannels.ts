/**
 * Which topics the sockets of this node watch. A topic that somebody here watches has one subscription of the `TopicBus`,
 * and what comes is published natively: one string, framed once, for all its sockets.
 *
 * **Details**
 *
 * The tenant is part of the channel's name on the bus and in the native server, and comes from the session: topics of two
 * tenants never meet. Messages of one publisher stay in order. A socket that is over its buffer limit is passed over.
 */
import { Context, Deferred, Effect, Exit, FiberSet, Layer, Schedule, Stream } from "effect"
import type { Fiber } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import { TopicBus } from "@beckon/domain/ports/TopicBus"
import type { TopicBusUnavailable } from "@beckon/domain/ports/TopicBus"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import type * as Session from "../gateway/Session.ts"
import { Sessions } from "../gateway/Sessions.ts"

/** NUL is in no id and in no topic. */
export const channelOf = (tenantId: TenantId, topic: string): string => `watch:${tenantId}\u0000${topic}`

const resubscribe = Schedule.spaced("1 second")

interface Channel {
  readonly topic: string
  readonly tenantId: TenantId
  readonly watchers: Set<Session.Session>
  /** Done when the subscription stands for the first time. */
  readonly ready: Deferred.Deferred<void, TopicBusUnavailable>
  fiber: Fiber.Fiber<void> | undefined
}

/** Who watches what. */
export interface Watch {
  readonly session: Session.Session
  readonly topic: string
}

export class TopicChannels extends Context.Service<
  TopicChannels,
  {
    /** The session gets what is published from the moment at which this succeeds, or earlier. */
    readonly join: (session: Session.Session, topic: string) => Effect.Effect<void, TopicBusUnavailable>
    /** False when it did not watch it. */
    readonly leave: (session: Session.Session, topic: string) => boolean
    readonly watches: (session: Session.Session, topic: string) => boolean
    /** How many topics a session watches. */
    readonly count: (session: Session.Session) => number
    /** The sessions of this node that watch the topic. */
    readonly watchersOf: (tenantId: TenantId, topic: string) => Iterable<Session.Session>
    readonly all: () => Iterable<Watch>
    /** What to do with each message of this topic, of every tenant of which somebody here watches it. One handler for a topic. */
    readonly onMessage: (topic: string, handler: (tenantId: TenantId, frame: string) => void) => void
    /** The topics of this node; each once. */
    readonly topics: () => Iterable<{ readonly tenantId: TenantId; readonly topic: string }>
  }
>()("@beckon/server/topics/TopicChannels") {
  static readonly layer = Layer.effect(
    TopicChannels,
    Effect.gen(function* () {
      const bus = yield* TopicBus
      const server = yield* UwsServer
      const sessions = yield* Sessions
      const fork = yield* FiberSet.makeRuntime()
      const channels = new Map<string, Channel>()
      const ofSession = new Map<Session.Session, Set<string>>()
      const handlers = new Map<string, (tenantId: TenantId, frame: string) => void>()

      /** Passes on until it is interrupted; the first subscription tells how it went, a later one is tried again. */
      const relay = (name: string, { ready, tenantId, topic }: Channel) =>
        bus.subscribe(name).pipe(
          Effect.tap(() => Deferred.succeed(ready, undefined)),
          Effect.flatMap(
            Stream.runForEachArray((frames) =>
              Effect.sync(() => {
                for (const frame of frames) {
                  server.publish(name, frame)
                  handlers.get(topic)?.(tenantId, frame)
                }
              })
            )
          ),
          Effect.scoped,
          Effect.tapError((error) => Deferred.fail(ready, error)),
          Effect.ignore,
          Effect.repeat(resubscribe),
          Effect.asVoid
        )

      const open = (name: string, tenantId: TenantId, topic: string): Channel => {
        const channel: Channel = {
          topic,
          tenantId,
          watchers: new Set(),
          ready: Deferred.makeUnsafe(),
          fiber: undefined
        }
        channels.set(name, channel)
        channel.fiber = fork(relay(name, channel))
        return channel
      }

      const leave = (session: Session.Session, topic: string): boolean => {
        const topics = ofSession.get(session)
        if (topics?.delete(topic) !== true) return false
        if (topics.size === 0) ofSession.delete(session)
        const name = channelOf(session.key.tenantId, topic)
        session.socket?.unsubscribe(name)
        const channel = channels.get(name)
        channel?.watchers.delete(session)
        if (channel?.watchers.size === 0) {
          // Whoever comes now opens another one; the bus orders the two subscriptions.
          channels.delete(name)
          channel.fiber?.interruptUnsafe()
        }
        return true
      }

      const join = (session: Session.Session, topic: string) =>
        Effect.suspend(() => {
          const { tenantId } = session.key
          const name = channelOf(tenantId, topic)
          // A session that has gone would never leave.
          if (session.socket === undefined) return Effect.interrupt
          const channel = channels.get(name) ?? open(name, tenantId, topic)
          channel.watchers.add(session)
          ofSession.set(session, (ofSession.get(session) ?? new Set<string>()).add(topic))
          session.socket.subscribe(name)
          return Effect.onExit(Deferred.await(channel.ready), (exit) =>
            Effect.sync(() => {
              // A later call of the session may have joined another channel of this name.
              if (Exit.isFailure(exit) && channels.get(name) === channel) leave(session, topic)
            })
          )
        })

      sessions.onGone((session) => {
        for (const topic of ofSession.get(session) ?? []) leave(session, topic)
      })

      return {
        join,
        leave,
        watches: (session, topic) => ofSession.get(session)?.has(topic) === true,
        count: (session) => ofSession.get(session)?.size ?? 0,
        watchersOf: (tenantId, topic) => channels.get(channelOf(tenantId, topic))?.watchers ?? [],
        all: function* () {
          for (const { topic, watchers } of channels.values()) for (const session of watchers) yield { session, topic }
        },
        onMessage: (topic, handler) => void handlers.set(topic, handler),
        topics: () => channels.values()
      }
    })
  )
}
