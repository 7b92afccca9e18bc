/**
 * How each tenant routes its notifications. Without a policy it is `RoutingPolicy.empty`.
 */
import { Context, Schema } from "effect"
import type { Effect } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { RoutingPolicy } from "../RoutingPolicy.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** Somebody else has changed it since it was read; `version` is what it has now. */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  version: Schema.Int
}) {}

export class RoutingPolicyStore extends Context.Service<
  RoutingPolicyStore,
  {
    /** Version 0 is the one before any was set. */
    readonly get: (
      tenantId: TenantId
    ) => Effect.Effect<{ readonly policy: RoutingPolicy; readonly version: number }, StoreUnavailable>
    /** Answers the new version. With `expected`, only if that is the version now. */
    readonly set: (
      tenantId: TenantId,
      policy: RoutingPolicy,
      expected?: number
    ) => Effect.Effect<number, VersionConflict | StoreUnavailable>
  }
>()("@beckon/domain/ports/RoutingPolicyStore") {}
