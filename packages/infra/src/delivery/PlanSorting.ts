/**
 * Sorts what a plan asks for into throttled, gathered and single deliveries: pure, and the same for every store.
 *
 * **Details**
 *
 * Counters and digests are shared by all planners. A store first raises the counters of `throttleNeeds`, then opens or locks the
 * digests of `digestNeeds`, and lets `sort` hand out what is left of them, in the order of the plan.
 */
import type { Condition, DeliveryChannel, DeliveryId, NewDelivery } from "@beckon/domain/Delivery"
import type { DuePlan } from "@beckon/domain/ports/DeliveryStore"
import { Duration } from "effect"
import { nextId, ofDigest, ofNotification } from "./NewRow.ts"
import type { NewItem, NewRow } from "./NewRow.ts"

/** What was decided for one notification. */
export interface Decided {
  readonly due: DuePlan
  readonly deliveries: ReadonlyArray<NewDelivery>
}

/** How many of one counter a plan needs. Times are milliseconds since 1970. */
export interface ThrottleNeed {
  readonly name: string
  readonly due: DuePlan
  readonly key: string
  readonly start: number
  readonly end: number
  count: number
}

/** A digest is wanted as long as one of its items is. */
const breadth: Readonly<Record<Condition, number>> = { unacknowledged: 0, unseen: 1, always: 2 }

/** A digest that is open, and locked by this planner. */
export interface OpenDigest {
  readonly id: DeliveryId
  items: number
  dueAt: number
  urgency: number
  condition: Condition
  open: boolean
}

export interface Sorted {
  readonly rows: ReadonlyArray<NewRow>
  readonly items: ReadonlyArray<NewItem>
}

/** The counter of a delivery: that of the window in which it is due. */
const counterOf = (due: DuePlan, delivery: NewDelivery): ThrottleNeed | undefined => {
  const { digest, skipped, throttle } = delivery
  if (throttle === undefined || digest !== undefined || skipped !== undefined) return undefined
  const length = Duration.toMillis(throttle.window)
  const start = Math.floor(delivery.dueAt.epochMilliseconds / length) * length
  const name = [due.tenantId, due.userId, throttle.key, start, length].join("\u0000")
  return { name, due, key: throttle.key, start, end: start + length, count: 1 }
}

export const digestName = (key: {
  readonly tenantId: string
  readonly userId: string
  readonly channel: DeliveryChannel
  readonly key: string
}): string => [key.tenantId, key.userId, key.channel, key.key].join("\u0000")

const gathers = (delivery: NewDelivery): delivery is NewDelivery & Required<Pick<NewDelivery, "digest">> =>
  delivery.digest !== undefined && delivery.skipped === undefined

/** A notification is in one digest of a channel: only the first that is asked for gathers it. */
const distinct = (deliveries: ReadonlyArray<NewDelivery>): ReadonlyArray<NewDelivery> => {
  const gathered = new Set<DeliveryChannel>()
  return deliveries.filter((delivery) => {
    if (!gathers(delivery)) return true
    if (gathered.has(delivery.channel)) return false
    gathered.add(delivery.channel)
    return true
  })
}

/** The counters that these plans raise, each once. */
export const throttleNeeds = (decided: ReadonlyArray<Decided>): ReadonlyArray<ThrottleNeed> => {
  const needs = new Map<string, ThrottleNeed>()
  for (const { deliveries, due } of decided) {
    for (const delivery of deliveries) {
      const counter = counterOf(due, delivery)
      if (counter === undefined) continue
      const need = needs.get(counter.name)
      if (need === undefined) needs.set(counter.name, counter)
      else need.count += 1
    }
  }
  return [...needs.values()]
}

/** The digests that these plans fill, each once and as it would be opened for its first item. */
export const digestNeeds = (decided: ReadonlyArray<Decided>): ReadonlyMap<string, NewRow> => {
  const needs = new Map<string, NewRow>()
  for (const { deliveries, due } of decided) {
    for (const delivery of distinct(deliveries)) {
      if (!gathers(delivery)) continue
      const name = digestName({ ...due, channel: delivery.channel, key: delivery.digest.key })
      if (!needs.has(name)) needs.set(name, ofDigest(due, delivery, delivery.digest.key))
    }
  }
  return needs
}

/**
 * Hands out counters and digests. `before` are the counters as they were before this plan raised them; `digests` the open
 * ones by `digestName`, which are changed in place.
 */
export const sort = (
  decided: ReadonlyArray<Decided>,
  before: ReadonlyMap<string, number>,
  digests: ReadonlyMap<string, OpenDigest>,
  now: number
): Sorted => {
  const rows: Array<NewRow> = []
  const items: Array<NewItem> = []
  const counts = new Map(before)
  /** The digest that takes items at the moment, where a former one became full. */
  const current = new Map<string, OpenDigest & { row?: number }>(digests)

  const gather = (
    due: DuePlan,
    delivery: NewDelivery,
    { key, maxItems, notBefore }: NonNullable<NewDelivery["digest"]>
  ) => {
    const name = digestName({ ...due, channel: delivery.channel, key })
    let digest = current.get(name)
    if (digest === undefined || !digest.open) {
      const row = { ...ofDigest(due, delivery, key), id: nextId() }
      digest = {
        id: row.id,
        items: 0,
        dueAt: row.dueAt,
        urgency: row.urgency,
        condition: row.condition,
        open: true,
        row: rows.push(row) - 1
      }
      current.set(name, digest)
    }
    digest.items += 1
    digest.urgency = Math.max(digest.urgency, delivery.urgency)
    if (breadth[delivery.condition] > breadth[digest.condition]) digest.condition = delivery.condition
    if (digest.items >= maxItems) {
      digest.open = false
      digest.dueAt = Math.min(digest.dueAt, Math.max(now, notBefore?.epochMilliseconds ?? now))
    }
    const row = digest.row === undefined ? undefined : rows[digest.row]
    if (digest.row !== undefined && row !== undefined) {
      const { condition, dueAt, items, open, urgency } = digest
      rows[digest.row] = { ...row, condition, dueAt, items, urgency, digestOpen: open }
    }
    items.push({ deliveryId: digest.id, due, channel: delivery.channel })
  }

  for (const { deliveries, due } of decided) {
    for (const delivery of distinct(deliveries)) {
      if (gathers(delivery)) {
        gather(due, delivery, delivery.digest)
        continue
      }
      const counter = counterOf(due, delivery)
      if (counter === undefined || delivery.throttle === undefined) {
        rows.push(ofNotification(due, delivery))
        continue
      }
      const count = (counts.get(counter.name) ?? 0) + 1
      counts.set(counter.name, count)
      rows.push(ofNotification(due, delivery, count > delivery.throttle.limit ? "throttled" : undefined))
    }
  }
  return { rows, items }
}
