/**
 * The last message of a topic, for those who begin to watch it: kept for a time, for all nodes, and lost without harm.
 */
import { Context, Schema } from "effect"
import type { Duration, Effect } from "effect"
import type { TenantId } from "../Identifiers.ts"

export class TopicSnapshotsUnavailable extends Schema.TaggedError<TopicSnapshotsUnavailable>()(
  "TopicSnapshotsUnavailable",
  { cause: Schema.Defect() }
) {
  override get message() {
    return "The last messages of topics are not available"
  }
}

export class TopicSnapshots extends Context.Service<
  TopicSnapshots,
  {
    /** `json` takes the place of what was kept, for `keptFor`; answers what was kept. */
    readonly swap: (
      tenantId: TenantId,
      topic: string,
      json: string,
      keptFor: Duration.Duration
    ) => Effect.Effect<string | undefined, TopicSnapshotsUnavailable>
    readonly last: (tenantId: TenantId, topic: string) => Effect.Effect<string | undefined, TopicSnapshotsUnavailable>
  }
>()("@beckon/domain/ports/TopicSnapshots") {}
