/**
 * The templates of tenants, and Beckon's own for the codes that a tenant has none of.
 *
 * **Details**
 *
 * Beckon's own have the version 0; a tenant's template of the same code stands before them from its first version on. What is
 * read is kept in memory for an hour, and forgotten on every node when its template changes; on a node that hears nothing
 * of changes it is kept for five seconds.
 */
import { Clock, Context, DateTime, Duration, Effect, Layer, Option, Schema } from "effect"
import type { TemplateReference } from "@beckon/domain/DeliveryOptions"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { TemplateEngine } from "@beckon/domain/ports/TemplateEngine"
import type { TemplateInvalid, TemplateRefused } from "@beckon/domain/ports/TemplateEngine"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import type { TopicBus } from "@beckon/domain/ports/TopicBus"
import type { Rendered, TemplateInput, TemplateSummary, TemplateVersion } from "@beckon/domain/Template"
import * as Seeded from "./SeededTemplates.ts"
import * as ChangeNews from "../caches/ChangeNews.ts"
import * as TemplateCache from "./TemplateCache.ts"

/** The tenant has no such template or version, and Beckon neither. */
export class TemplateNotFound extends Schema.TaggedError<TemplateNotFound>()("TemplateNotFound", {
  code: Schema.String,
  version: Schema.NullOr(Schema.Int)
}) {
  override get message() {
    return this.version === null
      ? `There is no template ${this.code}`
      : `There is no version ${this.version} of the template ${this.code}`
  }
}

/** The tenant has a template of this code already. */
export class TemplateExists extends Schema.TaggedError<TemplateExists>()("TemplateExists", { code: Schema.String }) {
  override get message() {
    return `There is a template ${this.code} already`
  }
}

export const keptFor = Duration.hours(1)
export const keptWhileDeafFor = Duration.seconds(5)

/** Sources in memory, in UTF-16 code units. */
const maxKept = 16_000_000

type Fill = Omit<TemplateReference, "code">
type Found = Effect.Effect<TemplateVersion, TemplateNotFound | StoreUnavailable>

export class Templates extends Context.Service<
  Templates,
  {
    /** A new template; its first version is active. */
    readonly create: (
      tenantId: TenantId,
      code: string,
      template: TemplateInput
    ) => Effect.Effect<TemplateVersion, TemplateExists | TemplateInvalid | StoreUnavailable>
    /** The next version, which is active unless told not to. */
    readonly put: (
      tenantId: TenantId,
      code: string,
      template: TemplateInput,
      activate: boolean
    ) => Effect.Effect<TemplateVersion, TemplateInvalid | StoreUnavailable>
    /** The same, only while this is the active version (Beckon's own: 0); nothing when another one is. */
    readonly putOver: (
      tenantId: TenantId,
      code: string,
      template: TemplateInput,
      activate: boolean,
      expected: number
    ) => Effect.Effect<Option.Option<TemplateVersion>, TemplateInvalid | StoreUnavailable>
    /** The active version, or the one that is named; Beckon's own has the version 0. */
    readonly get: (tenantId: TenantId, code: string, version?: number) => Found
    /** By code, Beckon's own among them. */
    readonly list: (
      tenantId: TenantId,
      options: { readonly afterCode?: string; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<TemplateSummary>, StoreUnavailable>
    /** Newest first. */
    readonly versions: (
      tenantId: TenantId,
      code: string
    ) => Effect.Effect<
      ReadonlyArray<{ readonly version: number; readonly createdAt: DateTime.Utc }>,
      TemplateNotFound | StoreUnavailable
    >
    readonly activate: (
      tenantId: TenantId,
      code: string,
      version: number
    ) => Effect.Effect<void, TemplateNotFound | StoreUnavailable>
    /** With all its versions, while `expected` is the active one where it is given; Beckon's own of the same code stands in from then on. */
    readonly remove: (
      tenantId: TenantId,
      code: string,
      expected?: number
    ) => Effect.Effect<void, TemplateNotFound | StoreUnavailable>
    readonly render: (
      tenantId: TenantId,
      reference: TemplateReference
    ) => Effect.Effect<Rendered, TemplateNotFound | TemplateRefused | StoreUnavailable>
    /** What a template that is not saved would say. */
    readonly preview: (
      template: TemplateInput,
      fill: Omit<Fill, "version">
    ) => Effect.Effect<Rendered, TemplateInvalid | TemplateRefused>
  }
>()("@beckon/server/templates/Templates") {
  static readonly layer: Layer.Layer<Templates, never, TemplateStore | TemplateEngine | TopicBus> = Layer.effect(
    Templates,
    Effect.gen(function* () {
      const store = yield* TemplateStore
      const engine = yield* TemplateEngine
      const cache = TemplateCache.make(maxKept)
      /** Grows with everything that is forgotten: what was read before is not kept after. */
      let forgotten = 0

      const forget = (tenantId: TenantId, code: string) => {
        forgotten += 1
        cache.forget(tenantId, code)
      }
      const changes = yield* ChangeNews.make("templates", {
        changed: forget,
        missed: () => {
          forgotten += 1
          cache.forgetAll()
        }
      })
      // This node does not wait for its own message.
      const announce = (tenantId: TenantId, code: string) =>
        Effect.andThen(
          Effect.sync(() => forget(tenantId, code)),
          changes.tell(tenantId, code)
        )

      const read = Effect.fnUntraced(function* (tenantId: TenantId, code: string, version: number | undefined) {
        const before = forgotten
        const found = yield* store.get(tenantId, code, version)
        if (forgotten !== before) return found
        const now = yield* Clock.currentTimeMillis
        const expiresAt = now + Duration.toMillis(changes.isDeaf() ? keptWhileDeafFor : keptFor)
        cache.keep(tenantId, code, version ?? "active", found, expiresAt)
        // The same object under its number, so that it is compiled once.
        if (version === undefined && Option.isSome(found)) {
          cache.keep(tenantId, code, found.value.version, found, expiresAt)
        }
        return found
      })

      const own = Effect.fnUntraced(function* (tenantId: TenantId, code: string, version?: number) {
        if (version === Seeded.version) return Option.none<TemplateVersion>()
        const kept = cache.find(tenantId, code, version ?? "active", yield* Clock.currentTimeMillis)
        return kept ?? (yield* read(tenantId, code, version))
      })

      const get = Effect.fnUntraced(function* (tenantId: TenantId, code: string, version?: number) {
        const found = yield* own(tenantId, code, version)
        if (Option.isSome(found)) return found.value
        const seeded = version === undefined || version === Seeded.version ? Seeded.find(code) : undefined
        return seeded ?? (yield* new TemplateNotFound({ code, version: version ?? null }))
      })

      const put = Effect.fn("Templates.put")(function* (
        tenantId: TenantId,
        code: string,
        template: TemplateInput,
        activate: boolean
      ) {
        yield* engine.check(template)
        const saved = yield* store.put(tenantId, code, template, activate, yield* DateTime.now)
        yield* announce(tenantId, code)
        return saved
      }, Effect.uninterruptible)

      return {
        put,
        get,

        putOver: Effect.fn("Templates.putOver")(function* (tenantId, code, template, activate, expected) {
          yield* engine.check(template)
          const saved = yield* store.putOver(tenantId, code, template, activate, expected, yield* DateTime.now)
          if (Option.isSome(saved)) yield* announce(tenantId, code)
          return saved
        }, Effect.uninterruptible),

        create: Effect.fn("Templates.create")(function* (tenantId, code, template) {
          if (Option.isSome(yield* store.get(tenantId, code))) return yield* new TemplateExists({ code })
          return yield* put(tenantId, code, template, true)
        }),

        list: Effect.fn("Templates.list")(function* (tenantId, options) {
          const rows = yield* store.list(tenantId, options)
          return Seeded.among(rows, options)
        }),

        versions: Effect.fn("Templates.versions")(function* (tenantId, code) {
          const all = yield* store.versions(tenantId, code)
          const seeded = Seeded.find(code)
          if (all.length > 0) return all
          return seeded === undefined ? yield* new TemplateNotFound({ code, version: null }) : [seeded]
        }),

        activate: Effect.fn("Templates.activate")(function* (tenantId, code, version) {
          const isThere = yield* store.activate(tenantId, code, version, yield* DateTime.now)
          if (!isThere) return yield* new TemplateNotFound({ code, version })
          yield* announce(tenantId, code)
        }, Effect.uninterruptible),

        remove: Effect.fn("Templates.remove")(function* (tenantId, code, expected) {
          const isThere = yield* store.remove(tenantId, code, expected)
          if (!isThere) return yield* new TemplateNotFound({ code, version: null })
          yield* announce(tenantId, code)
        }, Effect.uninterruptible),

        render: Effect.fn("Templates.render")(function* (tenantId, { code, language, variables, version }) {
          return yield* engine.render(yield* get(tenantId, code, version), language, variables)
        }),

        preview: Effect.fn("Templates.preview")(function* (template, { language, variables }) {
          yield* engine.check(template)
          const { texts, variables: schema = null } = template
          return yield* engine.render({ texts, variables: schema }, language, variables)
        })
      }
    })
  )
}
