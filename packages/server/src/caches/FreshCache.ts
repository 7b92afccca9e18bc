/**
 * What a store knows by tenant and key, kept in the memory of this node and forgotten by all nodes when it changes.
 *
 * **Details**
 *
 * Concurrent questions for one key are one question to the store. What was read while a change came in is given to those who
 * asked and is not kept. A node that is deaf for changes keeps nothing for longer than `keptWhileDeafFor`.
 *
 * **Gotchas**
 *
 * A change on another node is seen here after the way between nodes, some milliseconds; one whose message is lost, with the
 * next message of that node (`ChangeNews.beatInterval`).
 */
import { Clock, Deferred, Duration, Effect, Exit } from "effect"
import type { Scope } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { TopicBus } from "@beckon/domain/ports/TopicBus"
import * as ChangeNews from "./ChangeNews.ts"

export interface FreshCacheOptions<A, E> {
  /** The topic of its news, such as `tenants`; one cache has it. */
  readonly topic: string
  readonly lookup: (tenantId: TenantId, key: string) => Effect.Effect<A, E>
  readonly keptFor: Duration.Input
  /** Entries; past it the one that was asked for longest ago goes first. */
  readonly capacity: number
}

export interface FreshCache<A, E> {
  readonly get: (tenantId: TenantId, key: string) => Effect.Effect<A, E>
  /** After a change was saved: this node has forgotten when this succeeds, the others are told. */
  readonly changed: (tenantId: TenantId, key: string) => Effect.Effect<void>
}

const keptWhileDeafFor = Duration.seconds(1)

interface Held<A, E> {
  readonly answer: Deferred.Deferred<A, E>
  /** Milliseconds since 1970. */
  expiresAt: number
}

export const make = Effect.fnUntraced(function* <A, E>(
  options: FreshCacheOptions<A, E>
): Effect.fn.Return<FreshCache<A, E>, never, Scope.Scope | TopicBus> {
  const { capacity, lookup, topic } = options
  const keptFor = Duration.toMillis(options.keptFor)
  const held = new Map<string, Held<A, E>>()
  const nameOf = (tenantId: TenantId, key: string) => `${tenantId}\u0000${key}`

  const news = yield* ChangeNews.make(topic, {
    changed: (tenantId, key) => void held.delete(nameOf(tenantId, key)),
    missed: () => held.clear()
  })

  const read = (name: string, entry: Held<A, E>, tenantId: TenantId, key: string): Effect.Effect<A, E> =>
    Effect.onExit(lookup(tenantId, key), (exit) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const kept = news.isDeaf() ? Math.min(keptFor, Duration.toMillis(keptWhileDeafFor)) : keptFor
        entry.expiresAt = now + kept
        if (!Exit.isSuccess(exit) && held.get(name) === entry) held.delete(name)
        return Deferred.done(entry.answer, exit)
      })
    )

  return {
    get: (tenantId, key) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const name = nameOf(tenantId, key)
        const found = held.get(name)
        if (found !== undefined && found.expiresAt > now) {
          // The map is in the order of the last question.
          held.delete(name)
          held.set(name, found)
          return Deferred.await(found.answer)
        }
        const entry: Held<A, E> = { answer: Deferred.makeUnsafe(), expiresAt: Number.POSITIVE_INFINITY }
        held.set(name, entry)
        for (const oldest of held.keys()) {
          if (held.size <= capacity) break
          held.delete(oldest)
        }
        // One who asked and left does not take the answer from the others.
        return Effect.flatMap(Effect.forkDetach(read(name, entry, tenantId, key)), () => Deferred.await(entry.answer))
      }),
    changed: (tenantId, key) =>
      Effect.suspend(() => {
        held.delete(nameOf(tenantId, key))
        return news.tell(tenantId, key)
      })
  }
})
