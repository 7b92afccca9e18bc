import type { DeliveryChannel, DeliveryState, ProviderEvent } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { StoredNotification } from "@beckon/domain/Notification"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { Claimed, DuePlan } from "@beckon/domain/ports/DeliveryStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { initial } from "@beckon/domain/Preferences"
import { Array, DateTime, Effect, Layer, Option, Result, Semaphore } from "effect"
import { eventOf, toWebhook } from "../delivery/Announcement.ts"
import { afterEvent, afterReport, isHeld } from "../delivery/DeliveryChange.ts"
import type { DeliveryCore } from "../delivery/DeliveryChange.ts"
import { ofDirect } from "../delivery/NewRow.ts"
import { digestNeeds, sort, throttleNeeds } from "../delivery/PlanSorting.ts"
import type { Decided, OpenDigest } from "../delivery/PlanSorting.ts"
import { MemoryDeliveries } from "./MemoryDeliveries.ts"
import type { Row } from "./MemoryDeliveries.ts"
import * as Changes from "./MemoryDeliveryChanges.ts"
import { MemoryNotifications } from "./MemoryNotifications.ts"

const copy = (notification: StoredNotification): StoredNotification => ({ ...notification })

const make = Effect.gen(function* () {
  const notifications = yield* MemoryNotifications
  const preferences = yield* PreferenceStore
  const users = yield* UserDirectory
  const policies = yield* RoutingPolicyStore
  const endpoints = yield* WebhookEndpointStore
  const deliveries = new MemoryDeliveries()
  const turn = yield* Semaphore.make(1)

  /** Other stores are asked first; what follows runs in one piece, as a transaction does. */
  const listening = Effect.fnUntraced(function* (tenantIds: ReadonlyArray<TenantId>) {
    const listed = yield* Effect.forEach(new Set(tenantIds), endpoints.list)
    return listed.flat().filter(({ enabled }) => enabled)
  })

  type Listening = Effect.Success<ReturnType<typeof listening>>

  const change = (row: Row, next: DeliveryCore, listeners: Listening, now: DateTime.Utc): void => {
    const { state } = row.delivery
    deliveries.save(row, next, now)
    if (row.delivery.state === state) return
    const type = eventOf(row.delivery)
    for (const { events, id, tenantId } of listeners) {
      if (type === undefined || tenantId !== row.delivery.tenantId || !events.includes(type)) continue
      deliveries.insert(ofDirect(toWebhook(row.delivery, type, id, now)), now)
    }
  }

  const apply = (row: Row, event: ProviderEvent, listeners: Listening, now: DateTime.Utc): void => {
    const core = deliveries.coreOf(row)
    const next = afterEvent(core, event)
    if (next !== core) change(row, next, listeners, now)
  }

  /** News that wait for a message that is known by now. */
  const settle = (listeners: Listening, now: DateTime.Utc): void => {
    for (const known of deliveries.events.values()) {
      const { provider, providerMessageId } = known.event
      if (known.deliveryId !== null || providerMessageId === undefined) continue
      const row = deliveries.named(provider, providerMessageId)
      if (row === undefined) continue
      known.deliveryId = row.delivery.id
      apply(row, known.event, listeners, now)
    }
  }

  const tenantsOf = (rows: ReadonlyArray<Row | undefined>) =>
    rows.flatMap((row) => (row === undefined ? [] : [row.delivery.tenantId]))

  const readDue = Effect.fnUntraced(function* (limit: number, now: DateTime.Utc) {
    const due = notifications
      .mailboxes()
      .flatMap((mailbox) => mailbox.unplanned(now))
      .toSorted(
        (left, right) =>
          (left.planAt?.epochMilliseconds ?? 0) - (right.planAt?.epochMilliseconds ?? 0) || left.seq - right.seq
      )
      .slice(0, limit)
    return yield* Effect.forEach(due, (notification) =>
      Effect.gen(function* () {
        const { tenantId, userId } = notification
        const set = yield* preferences.get({ tenantId, userId })
        const known = yield* users.find(tenantId, [userId])
        return {
          tenantId,
          userId,
          seq: notification.seq,
          preferences: set === initial ? undefined : set,
          timeZone: known[0]?.timeZone ?? null
        }
      })
    )
  })

  const readContext = Effect.fnUntraced(function* (tenantIds: ReadonlyArray<TenantId>) {
    const distinct = [...new Set(tenantIds)]
    const listed = yield* listening(distinct)
    const set = yield* Effect.forEach(distinct, (tenantId) =>
      Effect.map(policies.get(tenantId), ({ policy, version }) => ({ tenantId, policy, version }))
    )
    const wanting = listed.filter(({ events }) => events.includes("notification.created"))
    return {
      policies: new Map(set.flatMap(({ policy, tenantId, version }) => (version === 0 ? [] : [[tenantId, policy]]))),
      endpoints: new Map(
        Object.entries(Array.groupBy(wanting, ({ tenantId }) => tenantId)).map(([, group]) => [
          group[0].tenantId,
          group.map(({ id, types }) => ({ id, types: types ?? undefined }))
        ])
      )
    }
  })

  /** Saves what was decided. */
  const savePlan = (decided: ReadonlyArray<Decided>, now: DateTime.Utc): ReadonlyArray<number> => {
    const before = new Map<string, number>()
    for (const { count, name } of throttleNeeds(decided)) {
      const former = deliveries.counters.get(name) ?? 0
      before.set(name, former)
      deliveries.counters.set(name, former + count)
    }
    const digests = new Map<string, OpenDigest>()
    for (const [name, need] of digestNeeds(decided)) {
      const { condition, dueAt, id, items, urgency } = (deliveries.openDigest(name) ?? deliveries.insert(need, now))
        .delivery
      digests.set(name, { id, items, urgency, condition, dueAt: dueAt.epochMilliseconds, open: true })
    }
    const { items, rows } = sort(decided, before, digests, now.epochMilliseconds)
    for (const digest of digests.values()) {
      const row = deliveries.rows.get(digest.id)
      if (row === undefined) continue
      const { condition, dueAt, items, open, urgency } = digest
      row.digestOpen = open
      row.delivery = { ...row.delivery, condition, items, urgency, dueAt: DateTime.makeUnsafe(dueAt), updatedAt: now }
    }
    for (const row of rows) deliveries.insert(row, now)
    deliveries.addItems(items)
    for (const { due } of decided) notifications.at(due).setPlanAt(({ seq }) => seq === due.seq, null)
    return [...rows.filter(({ state }) => state === "pending"), ...digests.values()].map(({ dueAt }) => dueAt)
  }

  const toClaimed = (row: Row): Claimed => {
    const { delivery, seq } = row
    const { notificationId, tenantId, userId } = delivery
    const carried =
      row.digestKey === null
        ? userId === null || seq === null || notificationId === null
          ? []
          : [{ tenantId, userId, seq, notificationId }]
        : deliveries.itemsOf(delivery.id)
    const all = carried.flatMap((item) => {
      const found = notifications.at(item).circumstances(item.seq)
      const isSeen = found?.seen === true || deliveries.isSeen(item.tenantId, item.notificationId)
      return found === undefined ? [] : [{ ...found, seen: isSeen }]
    })
    const told = row.digestKey === null ? all : all.filter(({ seen }) => !seen)
    return {
      delivery,
      attempt: row.claims,
      unreported: row.unreported,
      since: row.firstClaimedAt ?? delivery.updatedAt,
      notifications: told.map(({ notification }) => copy(notification)),
      options: told.length === 1 ? (told[0]?.notification.options ?? undefined) : undefined,
      content: row.content === null ? undefined : structuredClone(row.content),
      acknowledged: all.length > 0 && all.every(({ acknowledged }) => acknowledged),
      seen: all.length > 0 && all.every(({ seen }) => seen),
      progress: row.progress ?? []
    }
  }

  return DeliveryStore.of({
    plan: (limit, now, decide) =>
      turn.withPermits(1)(
        Effect.gen(function* () {
          const known = yield* readDue(limit, now)
          const context = yield* readContext(known.map(({ tenantId }) => tenantId))
          const decided: Array<Decided> = []
          const undecided: Array<[DuePlan, unknown]> = []
          for (const one of known) {
            const found = notifications.at(one).circumstances(one.seq)
            if (found === undefined || found.notification.planAt === null) continue
            const due = {
              ...one,
              ...found,
              notification: copy(found.notification),
              notificationId: found.notification.id
            }
            const deliveries = Result.try(() => decide(due, context))
            if (Result.isSuccess(deliveries)) decided.push({ due, deliveries: deliveries.success })
            else undecided.push([due, deliveries.failure])
          }
          const size = deliveries.rows.size
          const times = savePlan(decided, now)
          for (const [due, defect] of undecided) {
            notifications.at(due).setPlanAt(({ seq }) => seq === due.seq, DateTime.add(now, { minutes: 1 }))
            yield* Effect.logError(`Notification ${due.notificationId} could not be planned`, defect)
          }
          return {
            notifications: decided.length + undecided.length,
            deliveries: deliveries.rows.size - size,
            dueAt: times.length === 0 ? undefined : DateTime.makeUnsafe(Math.min(...times))
          }
        })
      ),

    add: (added, now) => Effect.sync(() => added.map((each) => deliveries.insert(ofDirect(each), now).delivery.id)),

    claim: ({ channels, lease, limit, now, worker }) =>
      Effect.sync(() =>
        deliveries.due(channels, limit, now).map((row) => {
          deliveries.claim(row, worker, DateTime.addDuration(now, lease), now)
          return toClaimed(row)
        })
      ),

    extend: (claims, until) =>
      Effect.sync(() =>
        claims.flatMap(({ attempt, id }) => {
          const row = deliveries.rows.get(id)
          if (row === undefined || !isHeld(deliveries.coreOf(row), attempt)) return []
          row.delivery = { ...row.delivery, dueAt: DateTime.max(row.delivery.dueAt, until) }
          return [id]
        })
      ),

    report: Effect.fnUntraced(function* (reports, now) {
      const listeners = yield* listening(tenantsOf(reports.map(({ id }) => deliveries.rows.get(id))))
      for (const report of reports) {
        const row = deliveries.rows.get(report.id)
        if (row === undefined) continue
        deliveries.addAttempts(row, report)
        const core = deliveries.coreOf(row)
        const next = afterReport(core, report)
        if (next !== core) change(row, next, listeners, now)
      }
      settle(listeners, now)
    }),

    recordEvents: Effect.fnUntraced(function* (events, now) {
      const known = events.map(({ deliveryId, provider, providerMessageId }) =>
        deliveryId !== undefined
          ? deliveries.rows.get(deliveryId)
          : providerMessageId === undefined
            ? undefined
            : deliveries.named(provider, providerMessageId)
      )
      const listeners = yield* listening(tenantsOf(known))
      let added = 0
      for (const event of events) {
        const key = `${event.provider}\u0000${event.eventKey}`
        if (deliveries.events.has(key)) continue
        deliveries.events.set(key, { event, receivedAt: now, deliveryId: event.deliveryId ?? null })
        added += 1
        const row = event.deliveryId === undefined ? undefined : deliveries.rows.get(event.deliveryId)
        if (row !== undefined) apply(row, event, listeners, now)
      }
      settle(listeners, now)
      return added
    }),

    ofNotification: (tenantId, id) =>
      Effect.sync(() => deliveries.carriersOf(tenantId, id).map((row) => deliveries.historyOf(row))),

    get: (tenantId, id) =>
      Effect.sync(() => {
        const row = deliveries.rows.get(id)
        return row?.delivery.tenantId === tenantId ? Option.some(deliveries.historyOf(row)) : Option.none()
      }),

    list: (tenantId, filter) => Effect.sync(() => deliveries.list(tenantId, filter)),

    cancel: (tenantId, target, now) =>
      Effect.sync(() => Changes.cancel(deliveries, notifications, tenantId, target, now)),

    replay: (tenantId, target, now) => Effect.sync(() => Changes.replay(deliveries, tenantId, target, now)),

    discard: (tenantId, target, now) => Effect.sync(() => Changes.discard(deliveries, tenantId, target, now)),

    counts: (tenantId) =>
      Effect.sync(() => {
        const counts = new Map<string, { channel: DeliveryChannel; state: DeliveryState; count: number }>()
        for (const { delivery } of deliveries.rows.values()) {
          if (delivery.tenantId !== tenantId) continue
          const { channel, state } = delivery
          const name = `${channel}\u0000${state}`
          counts.set(name, { channel, state, count: (counts.get(name)?.count ?? 0) + 1 })
        }
        return [...counts].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, count]) => count)
      }),

    reconcile: (now, patience) => Effect.sync(() => Changes.reconcile(deliveries, notifications, now, patience))
  })
})

/** Deliveries in memory. Webhook endpoints are told of new states; there is no outbox for the bus. */
export const layer = Layer.effect(DeliveryStore, make)
