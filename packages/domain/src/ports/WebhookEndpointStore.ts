/**
 * The webhook endpoints of tenants. Their secrets are encrypted at rest by the layers that keep them.
 */
import { Context } from "effect"
import type { DateTime, Effect, Option } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { WebhookEndpoint, WebhookEndpointInput, WebhookSecret } from "../WebhookEndpoint.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export class WebhookEndpointStore extends Context.Service<
  WebhookEndpointStore,
  {
    readonly create: (
      tenantId: TenantId,
      id: string,
      endpoint: WebhookEndpointInput,
      secret: WebhookSecret["secret"],
      now: DateTime.Utc
    ) => Effect.Effect<WebhookEndpoint, StoreUnavailable>
    /** Oldest first. */
    readonly list: (tenantId: TenantId) => Effect.Effect<ReadonlyArray<WebhookEndpoint>, StoreUnavailable>
    readonly get: (tenantId: TenantId, id: string) => Effect.Effect<Option.Option<WebhookEndpoint>, StoreUnavailable>
    /** `enabled: true` also forgets the failures. Answers nothing when there is no such endpoint. */
    readonly update: (
      tenantId: TenantId,
      id: string,
      change: Partial<WebhookEndpointInput> & { readonly enabled?: boolean; readonly disabledReason?: "gone" }
    ) => Effect.Effect<Option.Option<WebhookEndpoint>, StoreUnavailable>
    readonly remove: (tenantId: TenantId, id: string) => Effect.Effect<boolean, StoreUnavailable>
    /** Secrets that sign now, the newest first. */
    readonly secrets: (
      tenantId: TenantId,
      id: string,
      now: DateTime.Utc
    ) => Effect.Effect<ReadonlyArray<WebhookSecret>, StoreUnavailable>
    /** A new secret; the ones before it sign until `until`, those whose time has passed are forgotten. */
    readonly rotate: (
      tenantId: TenantId,
      id: string,
      secret: WebhookSecret["secret"],
      until: DateTime.Utc,
      now: DateTime.Utc
    ) => Effect.Effect<boolean, StoreUnavailable>
    /**
     * A call succeeded or failed. Failing since before `disableBefore` switches the endpoint off; answers whether it did so
     * now.
     */
    readonly noteOutcome: (
      tenantId: TenantId,
      id: string,
      succeeded: boolean,
      now: DateTime.Utc,
      disableBefore: DateTime.Utc
    ) => Effect.Effect<boolean, StoreUnavailable>
  }
>()("@beckon/domain/ports/WebhookEndpointStore") {}
