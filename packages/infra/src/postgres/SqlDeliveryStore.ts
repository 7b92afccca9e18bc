import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { ofDirect } from "../delivery/NewRow.ts"
import { insertAll } from "./DeliveryRow.ts"
import type { AnnounceOptions } from "./SqlDeliveryAnnounce.ts"
import * as Changes from "./SqlDeliveryChanges.ts"
import * as Claims from "./SqlDeliveryClaim.ts"
import * as Events from "./SqlDeliveryEvents.ts"
import * as Plans from "./SqlDeliveryPlan.ts"
import * as Queries from "./SqlDeliveryQueries.ts"
import * as Reconcile from "./SqlDeliveryReconcile.ts"
import * as Reports from "./SqlDeliveryReport.ts"
import * as PlanContexts from "./SqlPlanContext.ts"
import { unavailable } from "./StoreFailure.ts"

/** News that waited and can be told now are settled so many at a time. */
const settleBatch = 1_000

const make = Effect.fnUntraced(function* (options: AnnounceOptions) {
  const sql = yield* SqlClient
  const readContext = PlanContexts.make(sql)

  return DeliveryStore.of({
    plan: Effect.fn("DeliveryStore.plan")(
      (limit, now, decide) => sql.withTransaction(Plans.plan(sql, readContext, limit, now, decide)),
      unavailable("DeliveryStore.plan")
    ),

    add: Effect.fn("DeliveryStore.add")(function* (deliveries, now) {
      if (deliveries.length === 0) return []
      const rows = deliveries.map(ofDirect)
      yield* insertAll(sql, rows, now)
      return rows.map(({ id }) => id)
    }, unavailable("DeliveryStore.add")),

    claim: Effect.fn("DeliveryStore.claim")(
      (claim) => (claim.channels.length === 0 || claim.limit <= 0 ? Effect.succeed([]) : Claims.claim(sql, claim)),
      unavailable("DeliveryStore.claim")
    ),

    extend: Effect.fn("DeliveryStore.extend")(
      (claims, until) =>
        claims.length === 0
          ? Effect.succeed([])
          : Effect.map(Claims.extend(sql, claims, until), (rows) => rows.map(({ id }) => id)),
      unavailable("DeliveryStore.extend")
    ),

    report: Effect.fn("DeliveryStore.report")(function* (reports, now) {
      if (reports.length === 0) return
      yield* sql.withTransaction(Reports.report(sql, options, reports, now))
      const sent = reports.flatMap(({ result }) => (result._tag === "Sent" ? [result] : []))
      yield* Events.settle(sql, options, sent, now)
    }, unavailable("DeliveryStore.report")),

    recordEvents: Effect.fn("DeliveryStore.recordEvents")(
      (events, now) => (events.length === 0 ? Effect.succeed(0) : Events.recordEvents(sql, options, events, now)),
      unavailable("DeliveryStore.recordEvents")
    ),

    ofNotification: Effect.fn("DeliveryStore.ofNotification")(
      (tenantId, id) => Queries.ofNotification(sql, tenantId, id),
      unavailable("DeliveryStore.ofNotification")
    ),

    get: Effect.fn("DeliveryStore.get")(
      (tenantId, id) => Effect.map(Queries.get(sql, tenantId, id), Option.fromUndefinedOr),
      unavailable("DeliveryStore.get")
    ),

    list: Effect.fn("DeliveryStore.list")(
      (tenantId, filter) => Queries.list(sql, tenantId, filter),
      unavailable("DeliveryStore.list")
    ),

    cancel: Effect.fn("DeliveryStore.cancel")(
      (tenantId, target, now) => sql.withTransaction(Changes.cancel(sql, tenantId, target, now)),
      unavailable("DeliveryStore.cancel")
    ),

    replay: Effect.fn("DeliveryStore.replay")(
      (tenantId, target, now) => sql.withTransaction(Changes.replay(sql, tenantId, target, now)),
      unavailable("DeliveryStore.replay")
    ),

    discard: Effect.fn("DeliveryStore.discard")(
      (tenantId, target, now) => sql.withTransaction(Changes.discard(sql, tenantId, target, now)),
      unavailable("DeliveryStore.discard")
    ),

    counts: Effect.fn("DeliveryStore.counts")(
      (tenantId) => Queries.counts(sql, tenantId),
      unavailable("DeliveryStore.counts")
    ),

    reconcile: Effect.fn("DeliveryStore.reconcile")(function* (now, patience) {
      yield* Events.settleAll(sql, options, settleBatch, now)
      yield* Reconcile.sweep(sql, now)
      yield* Reconcile.sweepEvents(sql, now)
      return yield* Reconcile.reconcile(sql, now, patience)
    }, unavailable("DeliveryStore.reconcile"))
  })
})

/** Deliveries in PostgreSQL. */
export const layer = (options: AnnounceOptions): Layer.Layer<DeliveryStore, never, SqlClient> =>
  Layer.effect(DeliveryStore, make(options))
