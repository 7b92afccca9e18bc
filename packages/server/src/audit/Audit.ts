/**
 * Notes what callers do to a tenant.
 */
import { Context } from "effect"
import type { Effect, Schema } from "effect"
import type { CurrentIdentity } from "@beckon/domain/Identity"
import type { TenantId } from "@beckon/domain/Identifiers"

export interface Deed {
  /** `resource.verb`, such as `template.activate`. */
  readonly action: string
  /** `template/welcome`. */
  readonly target: string
  /** Never secrets. */
  readonly before?: Schema.Json
  readonly after?: Schema.Json
  /** The tenant it was done to, where it is not the caller's own. */
  readonly tenantId?: TenantId
}

export class Audit extends Context.Service<
  Audit,
  {
    /** After the deed, before its answer; an entry that cannot be saved is tried again, then logged as an error. */
    readonly record: (deed: Deed) => Effect.Effect<void, never, CurrentIdentity>
  }
>()("@beckon/server/audit/Audit") {}
