/**
 * `/api/v1/admin/api-keys/*`: the credentials of a tenant's services.
 */
import { Duration, Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { ApiKeys, defaultOverlap } from "../identity/ApiKeys.ts"
import type { ShownApiKey } from "../identity/ApiKeys.ts"
import * as Cursor from "../inbox/Cursor.ts"

const defaultLimit = 20

const toView = ({ key, secret }: ShownApiKey) => ({ data: { apiKey: key, key: secret } })

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "apiKeys",
  Effect.fn(function* (handlers) {
    const keys = yield* ApiKeys
    return handlers.handleAll({
      create: ({ payload: { role = "service", ...input } }) => Effect.map(keys.create({ ...input, role }), toView),
      list: ({ query: { cursor, limit = defaultLimit } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const beforeId = cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toId(cursor))
          const rows = yield* keys.list(tenantId, { beforeId, limit: limit + 1 })
          return Cursor.pageOf(rows, limit, ({ id }) => Cursor.ofId(id))
        }),
      get: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: yield* keys.get(tenantId, params.id) }
        }),
      rotate: ({ params, payload: { overlapSeconds } }) =>
        Effect.map(
          keys.rotate(params.id, overlapSeconds === undefined ? defaultOverlap : Duration.seconds(overlapSeconds)),
          toView
        ),
      revoke: ({ params }) => Effect.map(keys.revoke(params.id), (data) => ({ data }))
    })
  })
)
