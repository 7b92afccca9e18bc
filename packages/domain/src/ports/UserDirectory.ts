/**
 * What people are called. Beckon learns it from the profile claims of their tokens.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { TenantId, UserId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface Profile {
  readonly userId: UserId
  readonly name: string | null
  readonly email: string | null
  readonly image: string | null
}

export class UserDirectory extends Context.Service<
  UserDirectory,
  {
    /** Saves a profile. */
    readonly remember: (tenantId: TenantId, profile: Profile) => Effect.Effect<void, StoreUnavailable>
    /** The profiles of these users, in their order; an unknown user has only his id. */
    readonly lookup: (
      tenantId: TenantId,
      userIds: ReadonlyArray<UserId>
    ) => Effect.Effect<ReadonlyArray<Profile>, StoreUnavailable>
  }
>()("@beckon/domain/ports/UserDirectory") {}
