/**
 * Tells every node that something which nodes keep has changed, and notices when it may have missed a change.
 *
 * **Details**
 *
 * Topics are at most once: a message can be lost, and a broken way between nodes says nothing. So each node numbers what it
 * sends, and sends a beat now and then. A number that is left out means a change may have been missed: everything is forgotten. A
 * node that does not hear its own beats is deaf, and must not trust what it keeps for long. A change whose message is lost
 * is noticed with the next message of its node.
 */
import { Clock, Duration, Effect, Option, Schedule, Schema, Stream } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { TenantId } from "@beckon/domain/Identifiers"
import { TopicBus } from "@beckon/domain/ports/TopicBus"

export const beatInterval = Duration.seconds(10)

/** Without an own beat for this long a node is deaf. */
const deafAfter = Duration.toMillis(Duration.times(beatInterval, 2.5))

const resubscribeAfter = Duration.seconds(1)

/** Nodes that are remembered; beyond it all are met anew. */
const maxNodes = 1_000

const Message = Schema.Struct({
  node: Schema.String,
  /** The place among the messages of the node: 1, 2, 3, … */
  number: Schema.Int,
  changed: Schema.optionalKey(Schema.Struct({ tenant: TenantId, key: Schema.String }))
})
type Message = typeof Message.Type

const encode = Schema.encodeSync(Schema.fromJsonString(Message))
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Message))

export interface Listener {
  readonly changed: (tenantId: TenantId, key: string) => void
  /** Anything may have changed. */
  readonly missed: () => void
}

/** Listens until the scope closes. `topic` is the name of what is kept, such as `templates`. */
export const make = Effect.fnUntraced(function* (topic: string, listener: Listener) {
  const bus = yield* TopicBus
  const node = uuidV7Unsafe()
  const lastOf = new Map<string, number>()
  let sent = 0
  let heardAt: number | undefined
  let isDeaf = true

  const meet = ({ changed, node: from, number }: Message, now: number) => {
    if (lastOf.size >= maxNodes) lastOf.clear()
    const expected = (lastOf.get(from) ?? 0) + 1
    lastOf.set(from, number)
    if (from === node) {
      heardAt = now
      isDeaf = false
    }
    // Of a node that is met for the first time everything before is unknown.
    if (number !== expected) listener.missed()
    else if (changed !== undefined && from !== node) listener.changed(changed.tenant, changed.key)
  }

  /** A message that is not sent leaves a number out, so that the next one tells of it. */
  const send = (changed?: Message["changed"]) =>
    Effect.suspend(() => {
      sent += 1
      return bus.publish(topic, encode({ node, number: sent, ...(changed === undefined ? {} : { changed }) }))
    }).pipe(Effect.catch((error) => Effect.logWarning("A change was not told to other nodes", { topic }, error)))

  const beat = Effect.gen(function* () {
    yield* send()
    const now = yield* Clock.currentTimeMillis
    if (isDeaf || (heardAt !== undefined && now - heardAt < deafAfter)) return
    isDeaf = true
    listener.missed()
  })

  const listen = Effect.gen(function* () {
    const messages = yield* bus.subscribe(topic)
    listener.missed()
    yield* Effect.forkScoped(Effect.repeat(beat, Schedule.spaced(beatInterval)))
    yield* Stream.runForEach(messages, (json) =>
      Effect.map(Clock.currentTimeMillis, (now) => Option.map(decode(json), (message) => meet(message, now)))
    )
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.logWarning("Changes are not heard of", { topic }, error)),
    Effect.ensuring(
      Effect.sync(() => {
        isDeaf = true
        listener.missed()
      })
    )
  )

  yield* Effect.forkScoped(Effect.repeat(listen, Schedule.spaced(resubscribeAfter)))

  return {
    /** To the other nodes. */
    tell: (tenant: TenantId, key: string): Effect.Effect<void> => send({ tenant, key }),
    /** Whether changes on other nodes are not heard of at the moment. */
    isDeaf: (): boolean => isDeaf
  }
})
