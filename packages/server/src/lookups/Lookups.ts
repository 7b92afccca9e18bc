/**
 * The lookups that a tenant sees: the deployment's with its own over them, kept in memory, forgotten by all nodes on a change.
 */
import { createHash } from "node:crypto"
import { Context, DateTime, Effect, Layer, Option } from "effect"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { TenantId } from "@beckon/domain/Identifiers"
import { overlaid } from "@beckon/domain/Lookup"
import type { Lookup, LookupInput } from "@beckon/domain/Lookup"
import { Conflict, NotFound } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import { LookupStore, maxLookups } from "@beckon/domain/ports/LookupStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { Audit } from "../audit/Audit.ts"
import * as FreshCache from "../caches/FreshCache.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

const keptFor = "1 minute"
const capacity = 5_000

export interface LookupTable {
  /** In their order. */
  readonly lookups: ReadonlyArray<Lookup>
  /** Another one when anything in it is another. */
  readonly tag: string
}

const tableOf = (lookups: ReadonlyArray<Lookup>): LookupTable => ({
  lookups,
  tag: createHash("sha256").update(JSON.stringify(lookups)).digest("base64url").slice(0, 22)
})

const noted = ({ active, attributes, labels, order }: Lookup) => ({ active, attributes, labels, order })

export class Lookups extends Context.Service<
  Lookups,
  {
    readonly list: (tenantId: TenantId, kind: string) => Effect.Effect<LookupTable, StoreUnavailable>
    /** Sets one of the caller's tenant. */
    readonly put: (
      kind: string,
      code: string,
      input: LookupInput
    ) => Effect.Effect<Lookup, Conflict | Unavailable, CurrentIdentity>
    readonly remove: (kind: string, code: string) => Effect.Effect<void, NotFound | Unavailable, CurrentIdentity>
  }
>()("@beckon/server/lookups/Lookups") {
  static readonly layer = Layer.effect(
    Lookups,
    Effect.gen(function* () {
      const store = yield* LookupStore
      const audit = yield* Audit
      const cache = yield* FreshCache.make({
        topic: "lookups",
        // The deployment's rows are no tenant's.
        lookup: (tenantId: TenantId, kind: string) =>
          Effect.zipWith(store.list("platform", kind), store.list({ tenantId }, kind), (platform, own) =>
            tableOf(overlaid(platform, own))
          ).pipe(asSystem),
        keptFor,
        capacity
      })

      return {
        list: (tenantId, kind) => cache.get(tenantId, kind),

        put: Effect.fn("Lookups.put")(
          function* (kind, code, input) {
            const { tenantId } = yield* CurrentIdentity
            const owner = { tenantId }
            const former = (yield* store.list(owner, kind)).find((one) => one.code === code)
            const saved = yield* store.put(owner, kind, code, input, yield* DateTime.now)
            if (Option.isNone(saved)) {
              return yield* new Conflict({ detail: `kind: a tenant has at most ${maxLookups} values of one kind` })
            }
            yield* cache.changed(tenantId, kind)
            yield* audit.record({
              action: "lookup.put",
              target: `lookup/${kind}/${code}`,
              ...(former === undefined ? {} : { before: noted(former) }),
              after: noted(saved.value)
            })
            return saved.value
          },
          Effect.catchTag("StoreUnavailable", storeToProblem)
        ),

        remove: Effect.fn("Lookups.remove")(
          function* (kind, code) {
            const { tenantId } = yield* CurrentIdentity
            const removed = yield* store.remove({ tenantId }, kind, code)
            if (Option.isNone(removed)) {
              return yield* new NotFound({ detail: "code: your tenant has no value of its own of this code" })
            }
            yield* cache.changed(tenantId, kind)
            yield* audit.record({
              action: "lookup.remove",
              target: `lookup/${kind}/${code}`,
              before: noted(removed.value)
            })
          },
          Effect.catchTag("StoreUnavailable", storeToProblem)
        )
      }
    })
  )
}
