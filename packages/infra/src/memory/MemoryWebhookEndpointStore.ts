import type { TenantId } from "@beckon/domain/Identifiers"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { WebhookEndpoint, WebhookSecret } from "@beckon/domain/WebhookEndpoint"
import { DateTime, Effect, Layer, Option } from "effect"
import { byBytes } from "./ByteOrder.ts"

interface Entry {
  readonly endpoint: WebhookEndpoint
  /** The newest first. */
  readonly secrets: ReadonlyArray<WebhookSecret>
}

const isGoodAt =
  (now: DateTime.Utc) =>
  ({ until }: WebhookSecret): boolean =>
    until === null || DateTime.isGreaterThan(until, now)

const make = Effect.sync(() => {
  const entries = new Map<string, Entry>()
  const keyOf = (tenantId: TenantId, id: string) => `${tenantId}\u0000${id}`
  const find = (tenantId: TenantId, id: string) => Option.fromUndefinedOr(entries.get(keyOf(tenantId, id)))
  const save = (endpoint: WebhookEndpoint, secrets: ReadonlyArray<WebhookSecret>): WebhookEndpoint => {
    entries.set(keyOf(endpoint.tenantId, endpoint.id), { endpoint, secrets })
    return endpoint
  }

  return WebhookEndpointStore.of({
    create: (tenantId, id, { description = null, events, types, url }, secret, now) =>
      Effect.suspend(() => {
        if (entries.has(keyOf(tenantId, id))) {
          const cause = new Error(`The id ${id} is taken`)
          return Effect.fail(new StoreUnavailable({ operation: "WebhookEndpointStore.create", cause }))
        }
        const endpoint: WebhookEndpoint = {
          id,
          tenantId,
          url,
          description,
          events: [...(events ?? ["notification.created"])],
          types: types === undefined ? null : [...types],
          enabled: true,
          disabledReason: null,
          failingSince: null,
          createdAt: now
        }
        return Effect.succeed(save(endpoint, [{ secret, until: null }]))
      }),

    list: (tenantId) =>
      Effect.sync(() =>
        [...entries.values()]
          .map(({ endpoint }) => endpoint)
          .filter((endpoint) => endpoint.tenantId === tenantId)
          .toSorted(
            (left, right) =>
              left.createdAt.epochMilliseconds - right.createdAt.epochMilliseconds || byBytes(left.id, right.id)
          )
      ),

    get: (tenantId, id) => Effect.sync(() => Option.map(find(tenantId, id), ({ endpoint }) => endpoint)),

    update: (tenantId, id, { disabledReason = "admin", enabled, ...change }) =>
      Effect.sync(() =>
        Option.map(find(tenantId, id), ({ endpoint, secrets }) => {
          const changed = { ...endpoint, ...structuredClone(change) }
          if (enabled === true) {
            return save({ ...changed, enabled, disabledReason: null, failingSince: null }, secrets)
          }
          const isSwitchedOff = enabled === false && endpoint.enabled
          return save(isSwitchedOff ? { ...changed, enabled: false, disabledReason } : changed, secrets)
        })
      ),

    remove: (tenantId, id) => Effect.sync(() => entries.delete(keyOf(tenantId, id))),

    secrets: (tenantId, id, now) =>
      Effect.sync(() =>
        Option.match(find(tenantId, id), { onNone: () => [], onSome: ({ secrets }) => secrets.filter(isGoodAt(now)) })
      ),

    rotate: (tenantId, id, secret, until, now) =>
      Effect.sync(() =>
        Option.match(find(tenantId, id), {
          onNone: () => false,
          onSome: ({ endpoint, secrets }) => {
            const former = secrets
              .filter(isGoodAt(now))
              .map((one) => ({ ...one, until: one.until === null ? until : DateTime.min(one.until, until) }))
            save(endpoint, [{ secret, until: null }, ...former])
            return true
          }
        })
      ),

    noteOutcome: (tenantId, id, succeeded, now, disableBefore) =>
      Effect.sync(() => {
        const found = find(tenantId, id)
        if (Option.isNone(found)) return false
        const { endpoint, secrets } = found.value
        if (succeeded) {
          save({ ...endpoint, failingSince: null }, secrets)
          return false
        }
        if (!endpoint.enabled) return false
        const failingSince = endpoint.failingSince ?? now
        const disables = DateTime.isLessThan(failingSince, disableBefore)
        const disabled = disables ? { enabled: false, disabledReason: "failures" } : {}
        save({ ...endpoint, failingSince, ...disabled }, secrets)
        return disables
      })
  })
})

/** Webhook endpoints in memory. */
export const layer: Layer.Layer<WebhookEndpointStore> = Layer.effect(WebhookEndpointStore, make)
