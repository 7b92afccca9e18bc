/**
 * One thing that was done to a tenant by somebody: kept for good, changed by nobody.
 */
import { Schema } from "effect"
import { TenantId } from "./Identifiers.ts"

/** Who did it. */
export const Actor = Schema.Struct({
  kind: Schema.Literals(["user", "key", "system"]),
  /** The user's id, the key's id, or the name of the part of the server. */
  id: Schema.String,
  roles: Schema.Array(Schema.String)
})
export type Actor = typeof Actor.Type

export const AuditEntry = Schema.Struct({
  id: Schema.String,
  tenantId: TenantId,
  at: Schema.DateTimeUtcFromString,
  actor: Actor,
  /** What was done, `resource.verb`: `tenant.update`, `api_key.rotate`, `dead_letter.replay`. */
  action: Schema.String,
  /** To what: `template/welcome`. */
  target: Schema.String,
  /** The address of the caller; null for the system. */
  address: Schema.NullOr(Schema.String),
  correlationId: Schema.NullOr(Schema.String),
  /** As it was and is, without secrets; null where there is none. */
  before: Schema.Json,
  after: Schema.Json
}).pipe(Schema.encodeKeys({ tenantId: "tenant_id", correlationId: "correlation_id" }))
export type AuditEntry = typeof AuditEntry.Type
