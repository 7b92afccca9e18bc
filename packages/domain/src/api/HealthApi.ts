/**
 * Whether the process lives, and whether it can do its work. No token is needed.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"

/** R2's figures of the database. */
export const DatabaseHealth = Schema.Struct({
  kind: Schema.Literals(["pglite", "postgres"]),
  host: Schema.NullOr(Schema.String),
  port: Schema.NullOr(Schema.Int),
  name: Schema.String,
  poolSize: Schema.Int,
  connectionsInUse: Schema.Int,
  /** Null when the database did not answer. */
  latencyMs: Schema.NullOr(Schema.Finite),
  tableCount: Schema.NullOr(Schema.Int)
}).pipe(
  Schema.encodeKeys({
    poolSize: "pool_size",
    connectionsInUse: "connections_in_use",
    latencyMs: "latency_ms",
    tableCount: "table_count"
  })
)

export const Readiness = Schema.Struct({
  status: Schema.Literals(["ready", "not_ready"]),
  /** Why it is not ready. */
  reasons: Schema.Array(Schema.String),
  database: DatabaseHealth
})
export type Readiness = typeof Readiness.Type

export class HealthApi extends HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("live", "/live", { success: Schema.Struct({ status: Schema.Literal("live") }) }).annotateMerge(
      OpenApi.annotations({ summary: "The process answers" })
    ),
    HttpApiEndpoint.get("ready", "/ready", {
      success: [Readiness, Readiness.pipe(HttpApiSchema.status(503))]
    }).annotateMerge(OpenApi.annotations({ summary: "The process can do its work; 503 when it cannot" }))
  )
  .prefix("/health")
  .annotateMerge(OpenApi.annotations({ title: "Health" })) {}
