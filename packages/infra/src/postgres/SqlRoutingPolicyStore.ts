import { RoutingPolicyStore, VersionConflict } from "@beckon/domain/ports/RoutingPolicyStore"
import { empty, fromStored, RoutingPolicy } from "@beckon/domain/RoutingPolicy"
import type { TenantId } from "@beckon/domain/Identifiers"
import { DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as LoggedOnce from "./LoggedOnce.ts"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface Versioned {
  readonly version: number
}

const encode = Schema.encodeEffect(Schema.fromJsonString(RoutingPolicy))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const once = LoggedOnce.make()

  /** No row when another version than the expected one is there; the row is locked while it is compared. */
  const write = Effect.fnUntraced(function* (tenantId: TenantId, policy: RoutingPolicy, expected: number | undefined) {
    const json = yield* encode(policy)
    const now = timestamp(yield* DateTime.now)
    const change = sql`set policy = ${json}::jsonb, version = old.version + 1, updated_at = ${now}`
    if (expected !== undefined && expected !== 0) {
      return yield* sql<Versioned>`
        update routing_policies as old ${change}
        where old.tenant_id = ${tenantId} and old.version = ${expected} returning old.version`
    }
    const action = expected === 0 ? sql`nothing` : sql`update ${change}`
    return yield* sql<Versioned>`
      insert into routing_policies as old (tenant_id, policy, version, updated_at)
      values (${tenantId}, ${json}::jsonb, 1, ${now})
      on conflict (tenant_id) do ${action} returning old.version`
  })

  const versionOf = (tenantId: TenantId) =>
    Effect.map(
      sql<Versioned>`select version from routing_policies where tenant_id = ${tenantId}`,
      (rows) => rows[0]?.version ?? 0
    )

  return RoutingPolicyStore.of({
    get: Effect.fn("RoutingPolicyStore.get")(function* (tenantId) {
      const rows = yield* sql<Versioned & { readonly policy: unknown }>`
        select policy, version from routing_policies where tenant_id = ${tenantId}`
      if (rows[0] === undefined) return { policy: empty, version: 0 }
      const { version } = rows[0]
      const { dropped, value } = fromStored(rows[0].policy)
      if (dropped.length > 0) {
        yield* once(
          `${tenantId}\u0000${version}`,
          "A saved routing policy is not understood any more; the rest of it counts",
          { tenantId, version, dropped }
        )
      }
      return { policy: value, version }
    }, unavailable("RoutingPolicyStore.get")),

    set: Effect.fn("RoutingPolicyStore.set")(function* (tenantId, policy, expected) {
      const failed = unavailable("RoutingPolicyStore.set")
      const rows = yield* failed(write(tenantId, policy, expected))
      if (rows[0] !== undefined) return rows[0].version
      return yield* new VersionConflict({ version: yield* failed(versionOf(tenantId)) })
    })
  })
})

/** Routing policies in PostgreSQL. */
export const layer: Layer.Layer<RoutingPolicyStore, never, SqlClient> = Layer.effect(RoutingPolicyStore, make)
