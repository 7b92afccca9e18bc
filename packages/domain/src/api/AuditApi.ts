/**
 * The audit log of a tenant: who did what, when, from where, and what it was before and after.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { AuditEntry } from "../AuditEntry.ts"
import { Timestamp } from "../events/Timestamp.ts"
import { RequiredScope } from "../Policy.ts"
import { Forbidden, Unavailable, Unprocessable } from "../Problem.ts"
import { identifierOf } from "../Text.ts"
import { Authorization } from "./Authorization.ts"
import { pageOf, pageQuery } from "./Paging.ts"

export class AuditApi extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: {
        ...pageQuery,
        /** `template.put` */
        action: Schema.optionalKey(identifierOf(100)),
        /** The id of a user or of a key. */
        actor: Schema.optionalKey(identifierOf(128)),
        /** `template/welcome` */
        target: Schema.optionalKey(identifierOf(300)),
        /** Inclusive. */
        since: Schema.optionalKey(Timestamp),
        /** Exclusive. */
        until: Schema.optionalKey(Timestamp)
      },
      success: pageOf(AuditEntry),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What was done to the tenant, newest first",
        description: "Entries are never changed; they are thrown away only by age, as the tenant's retention says."
      })
    )
  )
  .annotate(RequiredScope, { read: "audit:read", write: "audit:read" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/audit")
  .annotateMerge(OpenApi.annotations({ title: "Audit log" })) {}
