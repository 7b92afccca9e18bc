/**
 * Where drivers are: checked, thinned out, and published to their followers.
 *
 * **Details**
 *
 * Of a driver who tells more often than every `tellEvery` the newest is published when it is time again. The last one is kept
 * for those who begin to follow.
 */
import { Context, DateTime, Duration, Effect, FiberSet, Layer, Schema } from "effect"
import type { Identity } from "@beckon/domain/Identity"
import { LocatedAt, Location } from "@beckon/domain/Location"
import * as MailboxKey from "@beckon/domain/MailboxKey"
import { Forbidden, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import * as Topic from "@beckon/domain/Topic"
import { Topics } from "./Topics.ts"

/** Two in a second: twice what a phone's receiver gives. */
export const tellEvery = Duration.millis(500)

/** After it the last location says nothing about where the driver is. */
export const keptFor = Duration.minutes(5)

const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(Location))
const encode = Schema.encodeSync(Schema.toCodecJson(LocatedAt))

const busDown = () => new Unavailable({ detail: "The way between nodes does not answer; try again." })

export class Locations extends Context.Service<
  Locations,
  {
    /** Of the caller, who has to be a driver. Success: it is published now, or a newer one is soon. */
    readonly tell: (identity: Identity, location: Location) => Effect.Effect<void, Forbidden | Unavailable>
    /** The same for what has not been decoded. */
    readonly tellUnknown: (
      identity: Identity,
      data: unknown
    ) => Effect.Effect<void, Forbidden | Unprocessable | Unavailable>
  }
>()("@beckon/server/topics/Locations") {
  static readonly layer = Layer.effect(
    Locations,
    Effect.gen(function* () {
      const topics = yield* Topics
      const fork = yield* FiberSet.makeRuntime()
      /** Drivers who have told within `tellEvery`, with what waits. */
      const resting = new Map<string, { waiting: LocatedAt | undefined }>()

      const publish = ({ tenantId, userId }: MailboxKey.MailboxKey, location: LocatedAt) =>
        topics.publish(tenantId, Topic.driverTopic(userId), encode(location), { keptFor })

      const rest = Effect.fnUntraced(function* (
        key: MailboxKey.MailboxKey,
        name: string,
        driver: { waiting: LocatedAt | undefined }
      ) {
        while (true) {
          yield* Effect.sleep(tellEvery)
          const { waiting } = driver
          if (waiting === undefined) return void resting.delete(name)
          driver.waiting = undefined
          yield* Effect.catch(publish(key, waiting), (error) => Effect.logDebug("A location was not published", error))
        }
      })

      const tell = Effect.fn("Locations.tell")(function* (identity: Identity, location: Location) {
        const why = Topic.whyNotLocate(identity)
        if (why !== undefined) return yield* new Forbidden({ detail: why })
        const located: LocatedAt = { ...location, at: yield* DateTime.now }
        const key = { tenantId: identity.tenantId, userId: identity.userId }
        const name = MailboxKey.toString(key)
        const driver = resting.get(name)
        if (driver !== undefined) {
          driver.waiting = located
          return
        }
        const fresh = { waiting: undefined }
        resting.set(name, fresh)
        fork(rest(key, name, fresh))
        yield* Effect.mapError(publish(key, located), busDown)
      })

      return {
        tell,
        tellUnknown: (identity, data) =>
          decode(data).pipe(
            Effect.mapError((error) => new Unprocessable({ detail: `data: ${error.message}` })),
            Effect.flatMap((location) => tell(identity, location))
          )
      }
    })
  )
}
