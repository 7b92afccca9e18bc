/**
 * Who the users of a tenant are and how they are reached. Beckon learns it from the profile claims of their tokens, and from
 * the tenant's services.
 */
import { Context } from "effect"
import type { DateTime, Effect, Option } from "effect"
import type { TenantId, UserId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface Profile {
  readonly userId: UserId
  readonly name: string | null
  readonly email: string | null
  readonly image: string | null
}

export interface User extends Profile {
  /** E.164. */
  readonly phone: string | null
  /** A BCP 47 tag. */
  readonly language: string | null
  /** A name of the IANA database. */
  readonly timeZone: string | null
  /** What the tenant calls groups of users: `driver`, `customer`. */
  readonly roles: ReadonlyArray<string>
  readonly updatedAt: DateTime.Utc
}

/** What is absent stays as it is; `null` takes it away. */
export type UserChange = Partial<Omit<User, "userId" | "updatedAt">>

export class UserDirectory extends Context.Service<
  UserDirectory,
  {
    /** Saves the profile that a token carries; what it does not say (`null`) stays as it is. */
    readonly remember: (tenantId: TenantId, profile: Profile) => Effect.Effect<void, StoreUnavailable>
    /** The profiles of these users, in their order; an unknown user has only his id. */
    readonly lookup: (
      tenantId: TenantId,
      userIds: ReadonlyArray<UserId>
    ) => Effect.Effect<ReadonlyArray<Profile>, StoreUnavailable>
    /** Answers nothing when a user of this id is there already. */
    readonly create: (
      tenantId: TenantId,
      userId: UserId,
      user: UserChange,
      now: DateTime.Utc
    ) => Effect.Effect<Option.Option<User>, StoreUnavailable>
    /** Answers nothing when there is no such user. */
    readonly update: (
      tenantId: TenantId,
      userId: UserId,
      change: UserChange,
      now: DateTime.Utc
    ) => Effect.Effect<Option.Option<User>, StoreUnavailable>
    /** The known ones of these users, in no order. */
    readonly find: (
      tenantId: TenantId,
      userIds: ReadonlyArray<UserId>
    ) => Effect.Effect<ReadonlyArray<User>, StoreUnavailable>
    /** By id; with `role`, only those who have it. */
    readonly list: (
      tenantId: TenantId,
      options: { readonly role?: string; readonly afterUserId?: UserId; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<User>, StoreUnavailable>
    /** Forgets the user's profile; answers whether there was one. */
    readonly remove: (tenantId: TenantId, userId: UserId) => Effect.Effect<boolean, StoreUnavailable>
  }
>()("@beckon/domain/ports/UserDirectory") {}
