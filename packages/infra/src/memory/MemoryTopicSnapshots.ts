import type { TenantId } from "@beckon/domain/Identifiers"
import { TopicSnapshots } from "@beckon/domain/ports/TopicSnapshots"
import { Clock, Duration, Effect, Layer } from "effect"

/** Topics that are remembered; beyond it the one that was kept first goes. */
const maxTopics = 100_000

const make = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const kept = new Map<string, { readonly json: string; readonly until: number }>()
  const nameOf = (tenantId: TenantId, topic: string) => `${tenantId}\u0000${topic}`
  const read = (name: string): string | undefined => {
    const entry = kept.get(name)
    if (entry === undefined) return undefined
    if (entry.until > clock.currentTimeMillisUnsafe()) return entry.json
    kept.delete(name)
    return undefined
  }

  return TopicSnapshots.of({
    swap: (tenantId, topic, json, keptFor) =>
      Effect.sync(() => {
        const name = nameOf(tenantId, topic)
        const before = read(name)
        kept.delete(name)
        kept.set(name, { json, until: clock.currentTimeMillisUnsafe() + Duration.toMillis(keptFor) })
        for (const oldest of kept.keys()) {
          if (kept.size <= maxTopics) break
          kept.delete(oldest)
        }
        return before
      }),
    last: (tenantId, topic) => Effect.sync(() => read(nameOf(tenantId, topic)))
  })
})

/** The last messages of topics within the process. */
export const layer: Layer.Layer<TopicSnapshots> = Layer.effect(TopicSnapshots, make)
