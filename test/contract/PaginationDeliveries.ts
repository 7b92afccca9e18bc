/**
 * The lists of deliveries, each over a channel of its own.
 *
 * **Gotchas**
 *
 * They are due long after any test, so that a running server leaves them alone.
 */
import type { NewDelivery } from "@beckon/domain/Delivery"
import { DeliveryId } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { DeliveryFilter } from "@beckon/domain/ports/DeliveryStore"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { DateTime, Duration, Effect, Redacted } from "effect"
import { dead, reportOf } from "./DeliveryFixtures.ts"
import { noon, user } from "./Fixtures.ts"
import { byName, eraser, never, paged } from "./PaginationLists.ts"
import type { Row } from "./PaginationWalk.ts"

/** Adds a delivery of this kind, of a user of its own; `rows` is what the store lists of them. */
const deliveriesLike = Effect.fnUntraced(function* (
  tenantId: TenantId,
  kind: Pick<NewDelivery, "channel" | "target">,
  filter: Partial<DeliveryFilter>
) {
  const store = yield* DeliveryStore
  const erase = yield* eraser
  const owners = new Map<string, string>()
  const delivery: NewDelivery = { ...kind, condition: "always", urgency: 5, dueAt: never }
  return {
    direction: "descending" as const,
    role: "admin" as const,
    member: "id",
    insert: ({ name }: { readonly name: string }) =>
      Effect.gen(function* () {
        const direct = { tenantId, userId: user(name), delivery, content: { title: "News" } }
        const [id = DeliveryId.make("none")] = yield* store.add([direct], noon)
        owners.set(id, name)
        return byName(id)
      }),
    remove: erase === undefined ? undefined : ({ key }: Row) => erase(tenantId, owners.get(key) ?? ""),
    read: paged(
      (before, limit) =>
        store.list(tenantId, {
          ...filter,
          limit,
          ...(before === undefined ? {} : { before: DeliveryId.make(before) })
        }),
      ({ id }) => id
    )
  }
})

const deliveries = Effect.fnUntraced(function* (tenantId: TenantId) {
  const list = yield* deliveriesLike(tenantId, { channel: "push", target: { _tag: "User" } }, {})
  return { ...list, path: "/api/v1/deliveries" }
})

const webhookDeliveries = Effect.fnUntraced(function* (tenantId: TenantId) {
  const endpoints = yield* WebhookEndpointStore
  const endpointId = `endpoint-of-${tenantId}`
  const secret = Redacted.make("whsec_c2VjcmV0")
  yield* endpoints.create(tenantId, endpointId, { url: "https://hooks.example/" }, secret, noon)
  const kind = { channel: "webhook", target: { _tag: "Endpoint", endpointId } } as const
  const list = yield* deliveriesLike(tenantId, kind, { endpointId })
  // Others of the tenant, that are not in the list.
  const others = yield* deliveriesLike(tenantId, { channel: "push", target: { _tag: "User" } }, {})
  yield* others.insert({ name: "other" })
  return { ...list, path: "/api/v1/webhooks/{id}/deliveries", id: endpointId }
})

const deadLetters = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* DeliveryStore
  const filter = { states: ["dead"], unresolved: true } as const
  const list = yield* deliveriesLike(tenantId, { channel: "sms", target: { _tag: "User" } }, filter)
  const later = DateTime.add(never, { days: 1 })
  const claim = { channels: ["sms"], limit: 1_000, now: later, lease: Duration.minutes(1), worker: "worker" } as const
  return {
    ...list,
    path: "/api/v1/dead-letters",
    insert: (wish: { readonly name: string }) =>
      Effect.gen(function* () {
        const row = yield* list.insert(wish)
        const claims = yield* store.claim(claim)
        yield* store.report(
          claims.map((one) => reportOf(one, dead)),
          noon
        )
        return row
      }),
    remove: ({ key }: Row) => store.discard(tenantId, { _tag: "Ids", ids: [DeliveryId.make(key)] }, noon)
  }
})

/** Each makes its list for a tenant that has nothing. */
export const listsOfDeliveries = { deliveries, webhookDeliveries, deadLetters }
