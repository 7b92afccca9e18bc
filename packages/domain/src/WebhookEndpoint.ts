/**
 * Where a tenant wants to be called (Standard Webhooks): for notifications on the channel `webhook`, and about deliveries.
 */
import { Schema } from "effect"
import type { DateTime, Redacted } from "effect"
import type { TenantId } from "./Identifiers.ts"
import { NotificationType } from "./NotificationType.ts"
import { identifierOf, nonEmptyTextOf, textOf } from "./Text.ts"

export const WebhookEndpointId = identifierOf(64)

/** What a webhook may be about, besides the notifications themselves. */
export const WebhookEvent = Schema.Literals([
  "notification.created",
  "delivery.sent",
  "delivery.delivered",
  "delivery.seen",
  "delivery.dead"
])
export type WebhookEvent = typeof WebhookEvent.Type

export const WebhookEndpointInput = Schema.Struct({
  /** https, or http where the deployment allows it; never an address of a private network. */
  url: nonEmptyTextOf(2_048),
  description: Schema.optionalKey(textOf(256)),
  /** `notification.created` when absent. */
  events: Schema.optionalKey(Schema.Array(WebhookEvent).check(Schema.isMinLength(1), Schema.isMaxLength(5))),
  /** Only notifications of these types; all when absent. */
  types: Schema.optionalKey(Schema.Array(NotificationType).check(Schema.isMinLength(1), Schema.isMaxLength(100)))
})
export type WebhookEndpointInput = typeof WebhookEndpointInput.Type

export interface WebhookEndpoint {
  readonly id: string
  readonly tenantId: TenantId
  readonly url: string
  readonly description: string | null
  readonly events: ReadonlyArray<WebhookEvent>
  readonly types: ReadonlyArray<string> | null
  readonly enabled: boolean
  /** Why it was switched off: `admin`; `failures` after days of nothing else; `gone` when it said so (410). */
  readonly disabledReason: string | null
  /** Since when every call has failed; `null` after a success. */
  readonly failingSince: DateTime.Utc | null
  readonly createdAt: DateTime.Utc
}

/** `whsec_` and base64, the newest first; a former one signs too until `until`. */
export interface WebhookSecret {
  readonly secret: Redacted.Redacted
  readonly until: DateTime.Utc | null
}
