/**
 * The calls of sockets about topics, and the end of a watch whose right has ended.
 *
 * **Details**
 *
 * A right is asked for again when somebody says that it may have ended, when such word may have been lost, and every
 * `checkInterval`, because grants also end by time and an identity changes with its token. A store that does not answer takes
 * no right away; the next check asks again.
 */
import { Context, Duration, Effect, FiberSet, Latch, Layer, Option, Schedule, Schema } from "effect"
import { TopicSnapshots } from "@beckon/domain/ports/TopicSnapshots"
import { Forbidden, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import * as Topic from "@beckon/domain/Topic"
import * as TopicFrame from "@beckon/domain/TopicFrame"
import { GatewaySettings } from "../gateway/GatewaySettings.ts"
import * as Session from "../gateway/Session.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Locations } from "./Locations.ts"
import { PresenceNews } from "./PresenceNews.ts"
import * as PresenceView from "./PresenceView.ts"
import { TopicAccess } from "./TopicAccess.ts"
import { TopicChannels } from "./TopicChannels.ts"
import type { Watch } from "./TopicChannels.ts"
import { TopicChecks } from "./TopicChecks.ts"
import type { Check } from "./TopicChecks.ts"
import { Topics } from "./Topics.ts"

export const checkInterval = Duration.seconds(30)

/** How long a watch waits for the way between nodes. */
const joinWithin = "5 seconds"

const busDown = () => new Unavailable({ detail: "The way between nodes does not answer; try again." })

const kinds = "tracking:driver:{user}, batch:{id}, presence, presence:{user}, app:{name}"

const understood = (topic: string): Effect.Effect<Topic.Meaning, Unprocessable> => {
  const meaning = Topic.meaningOf(topic)
  return meaning === undefined
    ? Effect.fail(new Unprocessable({ detail: `topic: one of ${kinds}` }))
    : Effect.succeed(meaning)
}

const parse = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))
const parsed = (json: string | undefined): Schema.Json => Option.getOrElse(parse(json), () => null)

type WatchError = Forbidden | Unprocessable | Unavailable

export class Watching extends Context.Service<
  Watching,
  {
    readonly watch: (
      session: Session.Session,
      topic: string
    ) => Effect.Effect<{ readonly snapshot: Schema.Json }, WatchError>
    readonly unwatch: (session: Session.Session, topic: string) => Effect.Effect<void>
    readonly publish: (session: Session.Session, topic: string, data: Schema.Json) => Effect.Effect<void, WatchError>
  }
>()("@beckon/server/topics/Watching") {
  static readonly layer = Layer.effect(
    Watching,
    Effect.gen(function* () {
      const channels = yield* TopicChannels
      const access = yield* TopicAccess
      const checks = yield* TopicChecks
      const topics = yield* Topics
      const locations = yield* Locations
      const snapshots = yield* TopicSnapshots
      const presence = yield* PresenceNews
      const settings = yield* GatewaySettings
      const fork = yield* FiberSet.makeRuntime()

      const snapshotOf = ({ key: { tenantId } }: Session.Session, topic: string, meaning: Topic.Meaning) => {
        switch (meaning._tag) {
          case "PresenceOf":
            return presence.observe({ tenantId, userId: meaning.userId }).pipe(
              Effect.map((state): Schema.Json => PresenceView.encode(state)),
              Effect.catch(() => Effect.succeed(null))
            )
          case "Presence":
          case "App":
            return Effect.succeed(null)
          case "Batch":
          case "Driver":
            return snapshots.last(tenantId, topic).pipe(
              Effect.map(parsed),
              Effect.catch(() => Effect.succeed(null))
            )
        }
      }

      const watch = Effect.fn("Watching.watch")(function* (session: Session.Session, topic: string) {
        const meaning = yield* understood(topic)
        const ask = access.whyNot([{ identity: session.identity, meaning }]).pipe(Effect.catch(storeToProblem))
        const [why] = yield* ask
        if (why !== undefined) return yield* new Forbidden({ detail: why })
        if (!channels.watches(session, topic) && channels.count(session) >= Topic.maxWatched) {
          return yield* new Unprocessable({ detail: `topic: a socket watches at most ${Topic.maxWatched} topics` })
        }
        yield* channels.join(session, topic).pipe(Effect.timeout(joinWithin), Effect.mapError(busDown))
        // The right may have ended between the answer and the moment from which checks see this watch.
        const [whyNow] = yield* ask
        if (whyNow !== undefined) {
          channels.leave(session, topic)
          return yield* new Forbidden({ detail: whyNow })
        }
        return { snapshot: yield* snapshotOf(session, topic, meaning) }
      })

      const publish = Effect.fn("Watching.publish")(function* (
        { identity, key: { tenantId } }: Session.Session,
        topic: string,
        data: Schema.Json
      ) {
        const meaning = yield* understood(topic)
        const why = Topic.whyNotPublish(identity, meaning)
        if (why !== undefined) return yield* new Forbidden({ detail: why })
        if (meaning._tag === "Driver") return yield* locations.tellUnknown(identity, data)
        yield* Effect.mapError(topics.publish(tenantId, topic, data), busDown)
      })

      const recheck = Effect.fnUntraced(function* (watches: ReadonlyArray<Watch>) {
        const questions = watches.flatMap(({ session, topic }) => {
          const meaning = Topic.meaningOf(topic)
          return meaning === undefined ? [] : [{ identity: session.identity, meaning, session, topic }]
        })
        const answers = yield* access.whyNot(questions)
        for (const [index, { session, topic }] of questions.entries()) {
          const why = answers[index]
          if (why === undefined || !channels.leave(session, topic)) continue
          Session.send(session, TopicFrame.encodeEnd(topic, why), settings)
        }
      })

      const survived = (watches: ReadonlyArray<Watch>) =>
        Effect.catchCause(recheck(watches), (cause) => Effect.logWarning("Watchers of topics were not checked", cause))

      /** Many words that anything may have changed are one check. */
      const anything = Latch.makeUnsafe(false)
      checks.onAsked((check: Check | undefined) => {
        if (check === undefined) return void anything.openUnsafe()
        const watchers = Array.from(channels.watchersOf(check.tenantId, check.topic), (session) => ({
          session,
          topic: check.topic
        }))
        if (watchers.length > 0) fork(survived(watchers))
      })
      const checkAll = Effect.gen(function* () {
        yield* anything.close
        yield* survived(Array.from(channels.all()))
      })
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(anything.await, checkAll)))
      yield* Effect.forkScoped(Effect.repeat(anything.open, Schedule.spaced(checkInterval)))

      return {
        watch,
        unwatch: (session, topic) => Effect.sync(() => void channels.leave(session, topic)),
        publish
      }
    })
  )
}
