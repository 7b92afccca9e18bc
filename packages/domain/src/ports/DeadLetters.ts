/**
 * Events that could not be understood, with the reason; they never stop what is behind them.
 */
import { Context, Schema } from "effect"
import type { DateTime, Effect } from "effect"
import { TenantId } from "../Identifiers.ts"
import { tenantHeader } from "./EventBus.ts"
import type { EventRecord } from "./EventBus.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface DeadLetter extends EventRecord {
  readonly id: string
  readonly reason: string
  readonly at: DateTime.Utc
}

const isTenantId = Schema.is(TenantId)

/** Whose a letter is, as its record says it; null, nobody's, when no tenant can have that name. */
export const ownerOf = ({ headers }: Pick<EventRecord, "headers">): TenantId | null => {
  const name = headers[tenantHeader] ?? "default"
  return isTenantId(name) ? name : null
}

export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    readonly add: (record: EventRecord, reason: string) => Effect.Effect<void, StoreUnavailable>
    /** Newest first; of one tenant, or of all and nobody. */
    readonly list: (query: {
      readonly limit: number
      readonly tenantId?: TenantId
    }) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreUnavailable>
  }
>()("@beckon/domain/ports/DeadLetters") {}
