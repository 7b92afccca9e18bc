/**
 * What a store knows by tenant and key, kept in the memory of this node and forgotten by all nodes when it changes.
 *
 * **Details**
 *
 * Concurrent questions for one key are one question to the store. What is not there (`isAbsent`) has a place of its own, so that
 * made-up keys push nothing out that is. What was read while a change came in is given to those who
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
  /** Whether the store knows nothing under the key. */
  readonly isAbsent?: (value: A) => boolean
  /** Keys that are known to be of nothing; 1,000 when not said. */
  readonly absentCapacity?: number
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
  const { absentCapacity = 1_000, capacity, lookup, topic } = options
  const keptFor = Duration.toMillis(options.keptFor)
  const isAbsent = options.isAbsent ?? (() => false)
  const held = new Map<string, Held<A, E>>()
  const absent = new Map<string, Held<A, E>>()
  /** Questions that are under way. */
  const asked = new Map<string, Held<A, E>>()
  const all = [held, absent, asked]
  const nameOf = (tenantId: TenantId, key: string) => `${tenantId}\u0000${key}`

  const forget = (name: string) => all.forEach((map) => map.delete(name))

  const keep = (map: Map<string, Held<A, E>>, room: number, name: string, entry: Held<A, E>) => {
    map.set(name, entry)
    for (const oldest of map.keys()) {
      if (map.size <= room) break
      map.delete(oldest)
    }
  }

  /** The map is in the order of the last question. */
  const recall = (map: Map<string, Held<A, E>>, name: string, now: number): Held<A, E> | undefined => {
    const found = map.get(name)
    if (found === undefined) return undefined
    map.delete(name)
    if (found.expiresAt <= now) return undefined
    map.set(name, found)
    return found
  }

  const news = yield* ChangeNews.make(topic, {
    changed: (tenantId, key) => forget(nameOf(tenantId, key)),
    missed: () => all.forEach((map) => map.clear())
  })

  const read = (name: string, entry: Held<A, E>, tenantId: TenantId, key: string): Effect.Effect<A, E> =>
    Effect.onExit(lookup(tenantId, key), (exit) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const kept = news.isDeaf() ? Math.min(keptFor, Duration.toMillis(keptWhileDeafFor)) : keptFor
        entry.expiresAt = now + kept
        // A change that came meanwhile has taken the question away.
        if (asked.get(name) === entry) {
          asked.delete(name)
          if (Exit.isSuccess(exit)) {
            if (isAbsent(exit.value)) keep(absent, absentCapacity, name, entry)
            else keep(held, capacity, name, entry)
          }
        }
        return Deferred.done(entry.answer, exit)
      })
    )

  return {
    get: (tenantId, key) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const name = nameOf(tenantId, key)
        const found = recall(held, name, now) ?? recall(absent, name, now) ?? asked.get(name)
        if (found !== undefined) return Deferred.await(found.answer)
        const entry: Held<A, E> = { answer: Deferred.makeUnsafe(), expiresAt: Number.POSITIVE_INFINITY }
        asked.set(name, entry)
        // One who asked and left does not take the answer from the others.
        return Effect.flatMap(Effect.forkDetach(read(name, entry, tenantId, key)), () => Deferred.await(entry.answer))
      }),
    changed: (tenantId, key) =>
      Effect.suspend(() => {
        forget(nameOf(tenantId, key))
        return news.tell(tenantId, key)
      })
  }
})
