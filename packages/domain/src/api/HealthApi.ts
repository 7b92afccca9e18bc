/**
 * Whether the process lives, and whether it can do its work. No token is needed.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"

/** R2's figures of the database. */
export const DatabaseHealth = Schema.Struct({
  kind: Schema.Literals(["pglite", "postgres"]),
  host: Schema.String,
  port: Schema.Int,
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

export const Ready = Schema.Struct({ status: Schema.Literal("ready"), database: DatabaseHealth })

/** `reasons` say why it is not ready. */
export const NotReady = Schema.Struct({
  status: Schema.Literal("not_ready"),
  reasons: Schema.Array(Schema.String),
  database: DatabaseHealth
})

export class HealthApi extends HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("live", "/live", { success: Schema.Struct({ status: Schema.Literal("live") }) }).annotateMerge(
      OpenApi.annotations({ summary: "The process answers" })
    ),
    HttpApiEndpoint.get("ready", "/ready", {
      success: [Ready, NotReady.pipe(HttpApiSchema.status(503))]
    }).annotateMerge(OpenApi.annotations({ summary: "The process can do its work; 503 when it cannot" }))
  )
  .prefix("/health")
  .annotateMerge(OpenApi.annotations({ title: "Health" })) {}
