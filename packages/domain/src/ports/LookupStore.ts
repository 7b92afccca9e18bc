/**
 * Lookups of the deployment and of every tenant.
 */
import { Context } from "effect"
import type { DateTime, Effect, Option } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { Lookup, LookupInput } from "../Lookup.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** `platform`: those that all tenants have. */
export type LookupOwner = "platform" | { readonly tenantId: TenantId }

export interface LookupSeed extends LookupInput {
  readonly kind: string
  readonly code: string
}

/** Of one owner and one kind. */
export const maxLookups = 1_000

export class LookupStore extends Context.Service<
  LookupStore,
  {
    /** In no order. */
    readonly list: (owner: LookupOwner, kind: string) => Effect.Effect<ReadonlyArray<Lookup>, StoreUnavailable>
    /** Nothing when the owner has 1,000 others of the kind. */
    readonly put: (
      owner: LookupOwner,
      kind: string,
      code: string,
      input: LookupInput,
      now: DateTime.Utc
    ) => Effect.Effect<Option.Option<Lookup>, StoreUnavailable>
    /** Answers what there was. */
    readonly remove: (
      owner: LookupOwner,
      kind: string,
      code: string
    ) => Effect.Effect<Option.Option<Lookup>, StoreUnavailable>
    /**
     * Writes those that are missing, and those that an earlier revision has written and nobody has changed since; answers the
     * written ones, as `kind/code`.
     */
    readonly seed: (
      owner: LookupOwner,
      seeds: ReadonlyArray<LookupSeed>,
      revision: number,
      now: DateTime.Utc
    ) => Effect.Effect<ReadonlyArray<string>, StoreUnavailable>
  }
>()("@beckon/domain/ports/LookupStore") {}
