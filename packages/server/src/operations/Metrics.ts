/**
 * What the server counts, by tenant. `PrometheusMetrics` of effect writes it.
 *
 * **Details**
 *
 * A label has one value for each of the first thousand tenants that this process meets; all others are `other`, so that a deployment
 * with very many tenants does not drown who collects.
 */
import { Context, Effect, Metric } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"

const maxTenants = 1_000

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

export const families = {
  notifications: counter(
    "beckon_notifications_total",
    "Drafts that mailboxes took: accepted, or duplicates of earlier ones."
  ),
  requests: counter("beckon_http_requests_total", "HTTP calls with a credential, answered or refused with a problem."),
  attempts: counter("beckon_delivery_attempts_total", "What became of tries to deliver beyond the socket.")
}

const gauges = {
  sessions: Metric.gauge("beckon_sessions", { description: "Open sockets on this node." }),
  mailboxes: Metric.gauge("beckon_mailboxes_resident", { description: "Mailboxes that are awake on this node." })
}

export type Family = keyof typeof families

const registry = Context.empty()
const tenants = new Set<string>()
const labelled = new Map<string, Metric.Metric<number, unknown>>()

const tenantLabel = (tenantId: TenantId): string => {
  if (tenants.has(tenantId)) return tenantId
  if (tenants.size >= maxTenants) return "other"
  tenants.add(tenantId)
  return tenantId
}

/** `labels` are few words that we chose; only the tenant comes from outside. Cheap: for once in a batch, not once in a message. */
export const add = (
  family: Family,
  tenantId: TenantId,
  labels: Readonly<Record<string, string>>,
  count: number
): void => {
  if (count === 0) return
  const tenant = tenantLabel(tenantId)
  const name = `${family}\u0000${tenant}\u0000${Object.values(labels).join("\u0000")}`
  let metric = labelled.get(name)
  if (metric === undefined) {
    labelled.set(name, (metric = Metric.withAttributes(families[family], { tenant, ...labels })))
  }
  metric.updateUnsafe(count, registry)
}

/** Counts by tenant first, so that a batch of many tenants costs one update for each. */
export const addAll = (
  family: Family,
  labels: Readonly<Record<string, string>>,
  counts: ReadonlyMap<TenantId, number>
) => {
  for (const [tenantId, count] of counts) add(family, tenantId, labels, count)
}

/** Sets what is only looked at when somebody collects. */
export const observe = (now: { readonly sessions: number; readonly mailboxes: number }): Effect.Effect<void> =>
  Effect.andThen(Metric.update(gauges.sessions, now.sessions), Metric.update(gauges.mailboxes, now.mailboxes))
