/**
 * Whether the process lives, and whether it can do its work. No token is needed.
 */
import { Schema } from "effect"
import { Forbidden, TooManyRequests, Unauthorized, Unavailable } from "../Problem.ts"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"

/** Prometheus' text format 0.0.4. */
const PrometheusText = Schema.String.pipe(
  HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })
)

export class MetricsApi extends HttpApiGroup.make("metrics")
  .add(
    HttpApiEndpoint.get("metrics", "/metrics", {
      headers: { authorization: Schema.optionalKey(Schema.String) },
      success: PrometheusText,
      error: [Unauthorized, Forbidden, TooManyRequests, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What this node counts, for Prometheus",
        description:
          "Needs METRICS_TOKEN as a bearer token, or a credential with the scope tenants:read: labels name tenants."
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "Metrics" })) {}

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
