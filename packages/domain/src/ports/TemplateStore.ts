/**
 * The templates of tenants. Versions are kept for ever; one of each template is active.
 */
import { Context } from "effect"
import type { DateTime, Effect, Option } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { TemplateInput, TemplateSummary, TemplateVersion } from "../Template.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export class TemplateStore extends Context.Service<
  TemplateStore,
  {
    /**
     * Adds the next version and makes it active unless told not to; the first of a code, 1, is active in any case. Concurrent
     * calls get versions of their own.
     */
    readonly put: (
      tenantId: TenantId,
      code: string,
      template: TemplateInput,
      activate: boolean,
      now: DateTime.Utc
    ) => Effect.Effect<TemplateVersion, StoreUnavailable>
    /**
     * The same, only while this version is the active one; 0: while the tenant has no template of the code. Nothing when
     * another one is.
     */
    readonly putOver: (
      tenantId: TenantId,
      code: string,
      template: TemplateInput,
      activate: boolean,
      expected: number,
      now: DateTime.Utc
    ) => Effect.Effect<Option.Option<TemplateVersion>, StoreUnavailable>
    /** The active version, or the one that is named. */
    readonly get: (
      tenantId: TenantId,
      code: string,
      version?: number
    ) => Effect.Effect<Option.Option<TemplateVersion>, StoreUnavailable>
    /** By code. */
    readonly list: (
      tenantId: TenantId,
      options: { readonly afterCode?: string; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<TemplateSummary>, StoreUnavailable>
    /** Newest first. */
    readonly versions: (
      tenantId: TenantId,
      code: string
    ) => Effect.Effect<ReadonlyArray<{ readonly version: number; readonly createdAt: DateTime.Utc }>, StoreUnavailable>
    /** Answers whether there is such a version. */
    readonly activate: (
      tenantId: TenantId,
      code: string,
      version: number,
      now: DateTime.Utc
    ) => Effect.Effect<boolean, StoreUnavailable>
    /** Answers whether there was such a template, and this was its active version where one is given. */
    readonly remove: (tenantId: TenantId, code: string, expected?: number) => Effect.Effect<boolean, StoreUnavailable>
  }
>()("@beckon/domain/ports/TemplateStore") {}
