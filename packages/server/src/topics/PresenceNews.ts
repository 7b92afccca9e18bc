/**
 * Tells watchers when somebody comes online, and when he has gone.
 *
 * **Details**
 *
 * Coming is told at once, going `goneAfter` later, so that a reconnect is no news. What was told last is kept for all nodes and
 * changed in one step, so of several nodes that notice the same one tells it. A node that was killed tells nothing: the nodes
 * of the watchers look now and then at those whom they watch.
 */
import { Clock, Context, DateTime, Duration, Effect, FiberSet, Layer, Option, Schedule, Schema } from "effect"
import { maxUsers, UserPresence } from "@beckon/domain/api/PresenceApi"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import * as MailboxKey from "@beckon/domain/MailboxKey"
import { heartbeatInterval, Presence } from "@beckon/domain/ports/Presence"
import type { PresenceUnavailable } from "@beckon/domain/ports/Presence"
import { TopicSnapshots } from "@beckon/domain/ports/TopicSnapshots"
import * as Topic from "@beckon/domain/Topic"
import { TopicMessage } from "@beckon/domain/TopicFrame"
import * as PresenceView from "./PresenceView.ts"
import { TopicChannels } from "./TopicChannels.ts"
import { Topics } from "./Topics.ts"

export const goneAfter = Duration.seconds(2)

/** What was told longer ago is not known any more. */
const rememberedFor = Duration.days(1)

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(UserPresence))
const decodeMessage = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ ...TopicMessage.fields, data: UserPresence }))
)

export class PresenceNews extends Context.Service<
  PresenceNews,
  {
    /** After presence has been told. */
    readonly came: (key: MailboxKey.MailboxKey) => Effect.Effect<void>
    /** The same; it is told later, if he has not come back. */
    readonly left: (key: MailboxKey.MailboxKey) => void
    /** How it is now; watchers are told when they take it to be otherwise. */
    readonly observe: (key: MailboxKey.MailboxKey) => Effect.Effect<UserPresence, PresenceUnavailable>
  }
>()("@beckon/server/topics/PresenceNews") {
  static readonly layer = Layer.effect(
    PresenceNews,
    Effect.gen(function* () {
      const presence = yield* Presence
      const snapshots = yield* TopicSnapshots
      const topics = yield* Topics
      const channels = yield* TopicChannels
      const fork = yield* FiberSet.makeRuntime()
      const leaving = new Set<string>()

      const quietly = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.catch(effect, (error) => Effect.logDebug("Presence was not told to watchers", error))

      /** Publishes the state unless it was told before; `assumed` is what watchers believe when nothing is known to be told. */
      const tell = Effect.fnUntraced(function* (
        { tenantId, userId }: MailboxKey.MailboxKey,
        state: UserPresence,
        assumed: boolean
      ) {
        const topic = Topic.presenceTopic(userId)
        const data = PresenceView.encode(state)
        const told = yield* snapshots.swap(tenantId, topic, JSON.stringify(data), rememberedFor)
        const before = Option.match(decode(told), { onNone: () => assumed, onSome: ({ online }) => online })
        if (before === state.online) return
        yield* topics.publish(tenantId, topic, data)
        yield* topics.publish(tenantId, Topic.everyPresenceTopic, data)
      })

      const settle = Effect.fnUntraced(function* (key: MailboxKey.MailboxKey, assumed: boolean) {
        const state = yield* PresenceView.now(presence, key)
        yield* quietly(tell(key, state.online ? state : { ...state, since: yield* DateTime.now }, assumed))
        if (state.online) return state
        // Whoever came in between found that he was told to be online, and kept silent.
        const after = yield* PresenceView.now(presence, key)
        if (after.online) yield* quietly(tell(key, after, false))
        return after
      })

      const left = (key: MailboxKey.MailboxKey) => {
        const name = MailboxKey.toString(key)
        if (leaving.has(name)) return
        leaving.add(name)
        fork(
          Effect.sleep(goneAfter).pipe(
            Effect.andThen(Effect.sync(() => leaving.delete(name))),
            Effect.andThen(quietly(settle(key, true)))
          )
        )
      }

      /** Of each tenant whose `presence` is watched here: who was told to be online. */
      const heardOnline = new Map<TenantId, Set<UserId>>()
      channels.onMessage(Topic.everyPresenceTopic, (tenantId, frame) => {
        const message = decodeMessage(frame)
        if (Option.isNone(message)) return
        const users = heardOnline.get(tenantId) ?? new Set<UserId>()
        const { online, userId } = message.value.data
        if (online) users.add(userId)
        else users.delete(userId)
        heardOnline.set(tenantId, users)
      })

      /** Whom the watchers of this node take to be online or not, and what it was at the last look. */
      let seen = new Map<string, boolean>()
      const watched = (): ReadonlyArray<MailboxKey.MailboxKey> => {
        const keys = new Map<string, MailboxKey.MailboxKey>()
        const add = (key: MailboxKey.MailboxKey) => keys.set(MailboxKey.toString(key), key)
        const everybody = new Set<TenantId>()
        for (const { tenantId, topic } of channels.topics()) {
          const meaning = Topic.meaningOf(topic)
          if (meaning?._tag === "PresenceOf") add({ tenantId, userId: meaning.userId })
          if (meaning?._tag === "Presence") everybody.add(tenantId)
        }
        for (const [tenantId, users] of heardOnline) {
          if (everybody.has(tenantId)) for (const userId of users) add({ tenantId, userId })
          else heardOnline.delete(tenantId)
        }
        return [...keys.values()]
      }
      const look = Effect.gen(function* () {
        const keys = watched()
        const now = new Map<string, boolean>()
        for (let from = 0; from < keys.length; from += maxUsers) {
          const some = keys.slice(from, from + maxUsers)
          const online = yield* presence.isOnline(some)
          for (const [index, key] of some.entries()) {
            const name = MailboxKey.toString(key)
            const is = online[index] === true
            now.set(name, is)
            if (seen.get(name) !== is && !leaving.has(name)) yield* settle(key, seen.get(name) ?? false)
          }
        }
        seen = now
      })
      yield* Effect.forkScoped(Effect.repeat(quietly(look), Schedule.spaced(heartbeatInterval)))

      return {
        came: ({ tenantId, userId }) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) =>
            quietly(tell({ tenantId, userId }, { userId, online: true, since: DateTime.makeUnsafe(now) }, false))
          ),
        left,
        observe: (key) => (leaving.has(MailboxKey.toString(key)) ? PresenceView.now(presence, key) : settle(key, false))
      }
    })
  )
}
