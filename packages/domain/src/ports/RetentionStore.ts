/**
 * Throws away by age what nobody resumes from: notifications leave through their mailbox (`NotificationStore.trim`).
 */
import { Context } from "effect"
import type { DateTime, Duration, Effect } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** What is kept by the day. */
export type Kept = "deliveries" | "batches" | "audit"

export class RetentionStore extends Context.Service<
  RetentionStore,
  {
    /**
     * Throws away a piece of what the tenant has from before `before` and is at its end; answers how many rows, 0 when nothing is
     * left. Deliveries go with their tries and events, `limit` at a time; of batches first their chunks and errors, `limit` each.
     */
    readonly sweep: (
      tenantId: TenantId,
      kept: Kept,
      before: DateTime.Utc,
      limit: number
    ) => Effect.Effect<number, StoreUnavailable>
    /**
     * Takes a duty for this long, for one node at a time: `false` while another one has it. It is not given back: it ends.
     */
    readonly takeDuty: (
      name: string,
      now: DateTime.Utc,
      duration: Duration.Duration
    ) => Effect.Effect<boolean, StoreUnavailable>
  }
>()("@beckon/domain/ports/RetentionStore") {}
