/**
 * Deliveries in memory: rows by id, with what a database would keep in other tables.
 */
import type { Attempt, Delivery, DeliveryChannel, DeliveryId, ProviderEvent } from "@beckon/domain/Delivery"
import { isOpen } from "@beckon/domain/Delivery"
import type { NotificationId, TenantId, UserId } from "@beckon/domain/Identifiers"
import type { DeliveryFilter, History, Report } from "@beckon/domain/ports/DeliveryStore"
import { DateTime } from "effect"
import type { Schema } from "effect"
import type { DeliveryCore } from "../delivery/DeliveryChange.ts"
import type { NewItem, NewRow } from "../delivery/NewRow.ts"
import { digestName } from "../delivery/PlanSorting.ts"

export interface Row {
  delivery: Delivery
  readonly seq: number | null
  readonly content: Schema.JsonObject | null
  readonly cancelKey: string | null
  readonly digestKey: string | null
  digestOpen: boolean
  progress: ReadonlyArray<string> | null
  firstClaimedAt: DateTime.Utc | null
  worker: string | null
  claims: number
  unreported: number
  readonly attempts: Array<{ readonly ordinal: number; readonly entry: Attempt }>
}

export interface Item {
  deliveryId: DeliveryId
  readonly tenantId: TenantId
  readonly userId: UserId
  readonly notificationId: NotificationId
  readonly seq: number
  readonly channel: DeliveryChannel
  readonly cancelKey: string | null
}

const byTime = (left: { readonly at: DateTime.Utc }, right: { readonly at: DateTime.Utc }): number =>
  left.at.epochMilliseconds - right.at.epochMilliseconds

export class MemoryDeliveries {
  /** In the order in which they were made, which is that of their ids. */
  readonly rows = new Map<DeliveryId, Row>()
  items: Array<Item> = []
  /** Raised, never lowered; those of windows that are over are not missed. */
  readonly counters = new Map<string, number>()
  readonly events = new Map<
    string,
    { readonly event: ProviderEvent; readonly receivedAt: DateTime.Utc; deliveryId: DeliveryId | null }
  >()

  insert(row: NewRow, now: DateTime.Utc, other: Partial<Pick<Delivery, "replayOf">> = {}): Row {
    const { cancelKey, content, digestKey, digestOpen, dueAt, seq, ...rest } = row
    const delivery: Delivery = {
      ...rest,
      dueAt: DateTime.makeUnsafe(dueAt),
      createdAt: now,
      updatedAt: now,
      attempts: 0,
      failures: 0,
      provider: null,
      providerMessageId: null,
      detail: null,
      replayOf: null,
      resolution: null,
      ...other
    }
    const saved: Row = {
      delivery,
      seq,
      content: content === null ? null : structuredClone(content),
      cancelKey,
      digestKey,
      digestOpen,
      progress: null,
      firstClaimedAt: null,
      worker: null,
      claims: 0,
      unreported: 0,
      attempts: []
    }
    this.rows.set(delivery.id, saved)
    return saved
  }

  /** A report that comes twice adds nothing. */
  addAttempts(row: Row, { attempt, attempts }: Report): void {
    attempts.forEach((one, ordinal) => {
      const isKnown = row.attempts.some(
        ({ entry, ordinal: other }) =>
          other === ordinal && entry.attempt === attempt && DateTime.Equivalence(entry.at, one.at)
      )
      if (!isKnown) row.attempts.push({ ordinal, entry: { ...one, attempt } })
    })
  }

  addItems(items: ReadonlyArray<NewItem>): void {
    for (const { channel, deliveryId, due } of items) {
      const { notification, notificationId, seq, tenantId, userId } = due
      const cancelKey = notification.options?.cancelKey ?? null
      this.items.push({ deliveryId, tenantId, userId, notificationId, seq, channel, cancelKey })
    }
  }

  openDigest(name: string): Row | undefined {
    for (const row of this.rows.values()) {
      const { channel, tenantId, userId } = row.delivery
      if (!row.digestOpen || userId === null || row.digestKey === null) continue
      if (digestName({ tenantId, userId, channel, key: row.digestKey }) === name) return row
    }
    return undefined
  }

  coreOf(row: Row): DeliveryCore {
    const { claims, progress, unreported, worker } = row
    return { ...row.delivery, dueAt: row.delivery.dueAt.epochMilliseconds, claims, progress, unreported, worker }
  }

  save(row: Row, core: DeliveryCore, now: DateTime.Utc): void {
    const { attempts, detail, dueAt, failures, progress, provider, providerMessageId, reason, state } = core
    row.progress = progress
    row.worker = core.worker
    row.unreported = core.unreported
    row.delivery = {
      ...row.delivery,
      state,
      dueAt: DateTime.makeUnsafe(dueAt),
      attempts,
      failures,
      provider,
      providerMessageId,
      reason,
      detail,
      updatedAt: now
    }
  }

  /** Oldest first. */
  itemsOf(id: DeliveryId): ReadonlyArray<Item> {
    return this.items.filter(({ deliveryId }) => deliveryId === id).toSorted((left, right) => left.seq - right.seq)
  }

  /** Whether the user has seen the notification over some channel. */
  isSeen(tenantId: TenantId, id: NotificationId): boolean {
    return this.carriersOf(tenantId, id).some(({ delivery }) => delivery.state === "seen")
  }

  /** The deliveries of a notification, alone or in a digest, and what they are replays of. */
  carriersOf(tenantId: TenantId, id: NotificationId): ReadonlyArray<Row> {
    const ids = new Set<DeliveryId>()
    for (const item of this.items) {
      if (item.tenantId !== tenantId || item.notificationId !== id) continue
      let carrier: DeliveryId | null = item.deliveryId
      while (carrier !== null) {
        ids.add(carrier)
        carrier = this.rows.get(carrier)?.delivery.replayOf ?? null
      }
    }
    return [...this.rows.values()].filter(
      ({ delivery }) => delivery.tenantId === tenantId && (delivery.notificationId === id || ids.has(delivery.id))
    )
  }

  named(provider: string, providerMessageId: string): Row | undefined {
    return [...this.rows.values()].find(
      ({ delivery }) => delivery.provider === provider && delivery.providerMessageId === providerMessageId
    )
  }

  historyOf(row: Row): History {
    const told = [...this.events]
      .filter(([, { deliveryId }]) => deliveryId === row.delivery.id)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([, { event }]) => event)
    const attempts = row.attempts
      .toSorted(
        (left, right) =>
          left.entry.attempt - right.entry.attempt || byTime(left.entry, right.entry) || left.ordinal - right.ordinal
      )
      .map(({ entry }) => ({ _tag: "Attempt" as const, ...entry }))
    const events = told
      .toSorted(byTime)
      .map(({ at, code, detail, provider, state }) => ({ _tag: "Event" as const, provider, state, code, detail, at }))
    return { ...row.delivery, history: [...attempts, ...events].toSorted(byTime) }
  }

  /** Newest first. */
  list(tenantId: TenantId, filter: DeliveryFilter): ReadonlyArray<Delivery> {
    const { before, channel, endpointId, limit, states, unresolved, userId } = filter
    return [...this.rows.values()]
      .map(({ delivery }) => delivery)
      .filter(
        (delivery) =>
          delivery.tenantId === tenantId &&
          (states === undefined || states.includes(delivery.state)) &&
          (channel === undefined || delivery.channel === channel) &&
          (userId === undefined || delivery.userId === userId) &&
          (endpointId === undefined ||
            (delivery.target._tag === "Endpoint" && delivery.target.endpointId === endpointId)) &&
          (unresolved !== true || (delivery.state === "dead" && delivery.resolution === null)) &&
          (before === undefined || delivery.id < before)
      )
      .toReversed()
      .slice(0, limit)
  }

  claim(row: Row, worker: string, until: DateTime.Utc, now: DateTime.Utc): void {
    row.digestOpen = false
    row.firstClaimedAt ??= now
    row.worker = worker
    row.claims += 1
    row.unreported += 1
    row.delivery = {
      ...row.delivery,
      state: "sending",
      attempts: row.delivery.attempts + 1,
      dueAt: until,
      updatedAt: now
    }
  }

  /** The most urgent first, then the earliest. */
  due(channels: ReadonlyArray<DeliveryChannel>, limit: number, now: DateTime.Utc): ReadonlyArray<Row> {
    return [...this.rows.values()]
      .filter(
        ({ delivery }) =>
          isOpen(delivery.state) &&
          channels.includes(delivery.channel) &&
          DateTime.isLessThanOrEqualTo(delivery.dueAt, now)
      )
      .toSorted(
        ({ delivery: left }, { delivery: right }) =>
          right.urgency - left.urgency ||
          left.dueAt.epochMilliseconds - right.dueAt.epochMilliseconds ||
          (left.id < right.id ? -1 : 1)
      )
      .slice(0, limit)
  }
}
