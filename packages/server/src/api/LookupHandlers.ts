/**
 * `/api/v1/lookups/*` and `/api/v1/admin/lookups/*`.
 */
import { Effect, Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { labelIn } from "@beckon/domain/Lookup"
import { maxLookups } from "@beckon/domain/ports/LookupStore"
import * as Conditional from "../http/Conditional.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Lookups } from "../lookups/Lookups.ts"
import { Tenants } from "../tenants/Tenants.ts"

const layerRead = HttpApiBuilder.group(
  BeckonApi,
  "lookups",
  Effect.fn(function* (handlers) {
    const lookups = yield* Lookups
    const tenants = yield* Tenants
    return handlers.handleAll({
      list: ({ params: { kind }, query: { all, language } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const table = yield* lookups.list(tenantId, kind)
          const wanted = language ?? (yield* tenants.get(tenantId)).settings.defaultLanguage
          yield* Conditional.tag(wanted === undefined ? table.tag : `${table.tag}.${encodeURIComponent(wanted)}`)
          const data = table.lookups
            .filter(({ active }) => active || all === "true")
            .map((one) => ({ ...one, label: labelIn(one.labels, wanted) }))
          return { data, meta: { limit: maxLookups, nextCursor: null } }
        }).pipe(Effect.catchTag("StoreUnavailable", storeToProblem))
    })
  })
)

const layerAdmin = HttpApiBuilder.group(
  BeckonApi,
  "lookupAdmin",
  Effect.fn(function* (handlers) {
    const lookups = yield* Lookups
    return handlers.handleAll({
      put: ({ params: { code, kind }, payload }) => Effect.map(lookups.put(kind, code, payload), (data) => ({ data })),
      remove: ({ params: { code, kind } }) => lookups.remove(kind, code)
    })
  })
)

export const layer = Layer.merge(layerRead, layerAdmin)
