/**
 * The audit log of every tenant: appended, read, and thrown away by age; never changed.
 */
import { Context } from "effect"
import type { DateTime, Effect } from "effect"
import type { AuditEntry } from "../AuditEntry.ts"
import type { TenantId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface AuditQuery {
  readonly action?: string
  readonly actorId?: string
  readonly target?: string
  readonly since?: DateTime.Utc
  readonly until?: DateTime.Utc
  /** Entries before this one. */
  readonly beforeId?: string
  readonly limit: number
}

export class AuditLog extends Context.Service<
  AuditLog,
  {
    readonly append: (entries: ReadonlyArray<AuditEntry>) => Effect.Effect<void, StoreUnavailable>
    /** Newest first; ids grow with time (UUIDv7). */
    readonly list: (tenantId: TenantId, query: AuditQuery) => Effect.Effect<ReadonlyArray<AuditEntry>, StoreUnavailable>
  }
>()("@beckon/domain/ports/AuditLog") {}
