import { TopicSnapshots } from "@beckon/domain/ports/TopicSnapshots"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { freshTenant } from "./Fixtures.ts"

/** `passed` lets so much time pass for the snapshots. */
export const topicSnapshotsContract = (
  it: Vitest.MethodsNonLive<TopicSnapshots>,
  passed: (time: Duration.Duration) => Effect.Effect<void>
) => {
  it.effect("keeps the last message of a topic of a tenant, and answers the one before", () =>
    Effect.gen(function* () {
      const snapshots = yield* TopicSnapshots
      const [tenantId, other] = [freshTenant(), freshTenant()]
      const minute = Duration.minutes(1)
      expect(yield* snapshots.last(tenantId, "batch:1")).toBeUndefined()
      expect(yield* snapshots.swap(tenantId, "batch:1", '{"text":"grüße 👋"}', minute)).toBeUndefined()
      expect(yield* snapshots.swap(tenantId, "batch:2", "2", minute)).toBeUndefined()
      expect(yield* snapshots.swap(tenantId, "batch:1", "null", minute)).toBe('{"text":"grüße 👋"}')
      expect(yield* snapshots.last(tenantId, "batch:1")).toBe("null")
      expect(yield* snapshots.last(tenantId, "batch:2")).toBe("2")
      expect(yield* snapshots.last(other, "batch:1")).toBeUndefined()
    })
  )

  it.effect("forgets it after its time, which begins anew with each message", () =>
    Effect.gen(function* () {
      const snapshots = yield* TopicSnapshots
      const tenantId = freshTenant()
      const [short, long] = [Duration.millis(200), Duration.minutes(1)]
      yield* snapshots.swap(tenantId, "short", "1", short)
      yield* snapshots.swap(tenantId, "longer", "1", short)
      yield* snapshots.swap(tenantId, "longer", "2", long)
      yield* passed(short)
      expect(yield* snapshots.last(tenantId, "short")).toBeUndefined()
      expect(yield* snapshots.swap(tenantId, "short", "3", long)).toBeUndefined()
      expect(yield* snapshots.last(tenantId, "longer")).toBe("2")
    })
  )
}
