import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { DuePlan } from "@beckon/domain/ports/DeliveryStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import type { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import type { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import {
  accept,
  claimOf,
  claimWith,
  dead,
  drain,
  email,
  failed,
  planAll,
  planned,
  push,
  reportOf,
  secondsAfterNoon,
  sent,
  tryOf
} from "./DeliveryFixtures.ts"
import { freshKey, hoursAfterNoon, noon, notification } from "./Fixtures.ts"

export type DeliveryServices =
  | DeliveryStore
  | NotificationStore
  | PreferenceStore
  | RoutingPolicyStore
  | UserDirectory
  | WebhookEndpointStore

export const deliveryStoreContract = (it: Vitest.MethodsNonLive<DeliveryServices>) => {
  it.effect("a notification is planned once, when its time has come, and the earliest first", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const notifications = yield* NotificationStore
      const key = freshKey()
      yield* notifications.load([key])
      yield* notifications.append([
        notification(key, 1, { planAt: hoursAfterNoon(2) }),
        notification(key, 2, { planAt: hoursAfterNoon(1) }),
        notification(key, 3, { planAt: null }),
        notification(key, 4, { planAt: hoursAfterNoon(3) })
      ])
      const seen: Array<number> = []
      const decide = (due: DuePlan) => {
        seen.push(due.seq)
        return [{ ...push, dueAt: hoursAfterNoon(5 - due.seq) }, email]
      }
      expect(yield* store.plan(10, noon, decide)).toEqual({ notifications: 0, deliveries: 0, dueAt: undefined })
      expect(yield* store.plan(1, hoursAfterNoon(2), decide)).toEqual({ notifications: 1, deliveries: 2, dueAt: noon })
      expect(yield* store.plan(10, hoursAfterNoon(2), decide)).toMatchObject({ notifications: 1, deliveries: 2 })
      expect(yield* store.plan(10, hoursAfterNoon(2), decide)).toMatchObject({ notifications: 0 })
      expect(seen).toEqual([2, 1])
      expect(yield* store.list(key.tenantId, { limit: 10 })).toHaveLength(4)
    })
  )

  it.effect("the plan is given what is known at this moment", () =>
    Effect.gen(function* () {
      yield* drain
      const notifications = yield* NotificationStore
      const preferences = yield* PreferenceStore
      const key = freshKey()
      const options = { channels: ["push"], cancelKey: "order-1" } as const
      yield* notifications.load([key])
      const rows = [
        notification(key, 1, { planAt: noon, urgency: 9, fallbackAt: secondsAfterNoon(5) }),
        notification(key, 2, { planAt: noon }),
        notification(key, 3, { planAt: noon }),
        notification(key, 4, { planAt: noon, options, hidden: true })
      ]
      yield* notifications.append(rows)
      yield* notifications.saveAcknowledged([{ ...key, seq: 1 }])
      yield* notifications.setRead(key, [rows[1]?.id ?? rows[0]!.id], true, noon)
      yield* notifications.remove(key, [rows[2]?.id ?? rows[0]!.id], noon)
      const plans: Array<DuePlan> = []
      const note = (due: DuePlan) => {
        plans.push(due)
        return []
      }
      yield* planAll(note)
      const [first, read, removed, hidden] = plans.toSorted((left, right) => left.seq - right.seq)
      expect(first).toEqual({
        ...key,
        notificationId: rows[0]?.id,
        seq: 1,
        notification: rows[0],
        acknowledged: true,
        seen: false,
        preferences: undefined,
        timeZone: null
      })
      expect(read).toMatchObject({ seq: 2, acknowledged: false, seen: true })
      expect(removed).toMatchObject({ seq: 3, seen: true })
      expect(hidden).toMatchObject({ seq: 4, seen: false, notification: { options, hidden: true } })
      yield* preferences.set(key, { channels: { push: false }, mutedTypes: ["loud"] })
      yield* notifications.append([notification(key, 5, { planAt: noon })])
      yield* planAll(note)
      expect(plans.at(-1)).toMatchObject({ seq: 5, preferences: { channels: { push: false }, mutedTypes: ["loud"] } })
    })
  )

  it.effect("a plan that fails for one notification holds up no other, and comes again a minute later", () =>
    Effect.gen(function* () {
      yield* drain
      const key = freshKey()
      yield* accept(key, 3)
      const decide = (due: DuePlan) => {
        if (due.seq === 2) throw new Error("defect")
        return [push]
      }
      expect(yield* planAll(decide)).toMatchObject({ notifications: 3, deliveries: 2 })
      expect(yield* planAll(decide)).toMatchObject({ notifications: 0 })
      expect(yield* planAll(() => [push], secondsAfterNoon(60))).toMatchObject({ notifications: 1, deliveries: 1 })
      expect(yield* claimOf(key)).toHaveLength(3)
    })
  )

  it.effect("the most urgent are taken first, then the earliest, with all that is needed to send them", () =>
    Effect.gen(function* () {
      yield* drain
      const key = freshKey()
      const [first] = yield* planned(key, [
        { ...push, urgency: 3, dueAt: secondsAfterNoon(-9) },
        { ...push, urgency: 9, dueAt: secondsAfterNoon(-1) },
        { ...email, urgency: 9, dueAt: secondsAfterNoon(-2) },
        { ...push, channel: "sms", urgency: 10, dueAt: secondsAfterNoon(1) },
        { ...push, channel: "whatsapp", urgency: 1, skipped: "muted" }
      ])
      const two = yield* claimWith({ limit: 2 })
      expect(two.map(({ delivery }) => [delivery.channel, delivery.urgency])).toEqual([
        ["email", 9],
        ["push", 9]
      ])
      expect(two[0]).toEqual({
        delivery: {
          id: two[0]?.delivery.id,
          ...key,
          notificationId: first?.id,
          channel: "email",
          target: { _tag: "User" },
          condition: "unseen",
          state: "sending",
          urgency: 9,
          dueAt: secondsAfterNoon(60),
          createdAt: noon,
          updatedAt: noon,
          attempts: 1,
          failures: 0,
          provider: null,
          providerMessageId: null,
          reason: null,
          detail: null,
          items: 1,
          replayOf: null,
          resolution: null
        },
        attempt: 1,
        unreported: 1,
        since: noon,
        notifications: [{ ...first, planAt: null }],
        options: undefined,
        content: undefined,
        acknowledged: false,
        seen: false,
        progress: []
      })
      expect(yield* claimWith({ channels: ["whatsapp", "sms", "email"] })).toEqual([])
      expect((yield* claimWith()).map(({ delivery }) => delivery.urgency)).toEqual([3])
      const [skipped] = yield* (yield* DeliveryStore).list(key.tenantId, { states: ["skipped"], limit: 9 })
      expect(skipped).toMatchObject({ channel: "whatsapp", reason: "muted", attempts: 0 })
    })
  )

  it.effect("a claim tells whether the user has it by now, and has seen it", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const notifications = yield* NotificationStore
      const key = freshKey()
      const options = { channels: ["push", "email"] } as const
      const rows = yield* planned(key, [push], 4)
      yield* notifications.append([notification(key, 5, { planAt: noon, options, hidden: true })])
      yield* planAll(() => [push, email])
      yield* notifications.saveAcknowledged([{ ...key, seq: 2 }])
      yield* notifications.setRead(
        key,
        rows.slice(1, 2).map(({ id }) => id),
        true,
        noon
      )
      yield* notifications.remove(
        key,
        rows.slice(2, 3).map(({ id }) => id),
        noon
      )
      const claims = yield* claimOf(key, { channels: ["push"] })
      const facts = claims
        .map(({ acknowledged, notifications, seen }) => [notifications[0]?.seq, acknowledged, seen] as const)
        .toSorted(([left = 0], [right = 0]) => left - right)
      expect(facts).toEqual([
        [1, true, false],
        [2, true, true],
        [3, false, true],
        [4, false, false],
        [5, false, false]
      ])
      const hidden = claims.find(({ notifications }) => notifications[0]?.seq === 5)
      expect(hidden?.options).toEqual(options)
      if (hidden === undefined) return
      yield* store.report([reportOf(hidden, sent("seen-5"))], noon)
      yield* store.recordEvents([{ ...eventSeen, deliveryId: hidden.delivery.id }], noon)
      expect(yield* claimOf(key, { channels: ["email"] })).toMatchObject([{ acknowledged: false, seen: true }])
    })
  )

  it.effect("a lease that ends brings the delivery back; one that is prolonged does not", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push, email])
      const claims = yield* claimOf(key)
      const held = claims.map(({ attempt, delivery }) => ({ id: delivery.id, attempt }))
      expect(yield* store.extend(held.slice(0, 1), secondsAfterNoon(120))).toEqual([held[0]?.id])
      expect(yield* claimOf(key, { now: secondsAfterNoon(59) })).toEqual([])
      const again = yield* claimOf(key, { now: secondsAfterNoon(60) })
      expect(again).toMatchObject([{ attempt: 2, since: noon, delivery: { id: held[1]?.id, state: "sending" } }])
      // The first worker has lost the second delivery, and cannot prolong it for itself.
      expect(yield* store.extend(held, secondsAfterNoon(90))).toEqual([held[0]?.id])
      expect(yield* store.extend([], noon)).toEqual([])
      expect(yield* claimOf(key, { now: secondsAfterNoon(120) })).toMatchObject([{ attempt: 2 }, { attempt: 3 }])
    })
  )

  it.effect("a failed try is kept and followed by another, until it is sent", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const [row] = yield* planned(key, [push])
      const [one] = yield* claimOf(key)
      if (one === undefined || row === undefined) return expect.unreachable()
      const timeout = tryOf("fcm", { outcome: "transient", code: "timeout", detail: "Slow" })
      const first = reportOf(one, { ...failed(secondsAfterNoon(30)), progress: ["hash"] }, [timeout])
      yield* store.report([first], secondsAfterNoon(1))
      // The answer was lost, and the report comes again.
      yield* store.report([first], secondsAfterNoon(2))
      expect(yield* store.list(key.tenantId, { limit: 9 })).toMatchObject([
        { state: "failed", attempts: 1, failures: 1, reason: "timeout", dueAt: secondsAfterNoon(30), provider: "fcm" }
      ])
      expect(yield* claimOf(key, { now: secondsAfterNoon(29) })).toEqual([])
      const [two] = yield* claimOf(key, { now: secondsAfterNoon(30) })
      if (two === undefined) return expect.unreachable()
      expect(two).toMatchObject({ attempt: 2, since: noon, progress: ["hash"] })
      const success = tryOf("webpush", { at: secondsAfterNoon(31), code: "201" })
      yield* store.report([reportOf(two, sent("message-1", "webpush"), [success])], secondsAfterNoon(31))
      expect(yield* claimOf(key, { now: hoursAfterNoon(99) })).toEqual([])
      const [history] = yield* store.ofNotification(key.tenantId, row.id)
      expect(history).toMatchObject({
        state: "sent",
        attempts: 2,
        failures: 1,
        provider: "webpush",
        providerMessageId: "message-1",
        reason: null,
        history: [
          { _tag: "Attempt", attempt: 1, ...timeout },
          { _tag: "Attempt", attempt: 2, ...success }
        ]
      })
    })
  )

  it.effect("a worker that lost its lease changes nothing, unless it had sent", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push, email])
      const late = yield* claimOf(key)
      const current = yield* claimOf(key, { now: secondsAfterNoon(60) })
      expect(current.map(({ attempt }) => attempt)).toEqual([2, 2])
      const of = (channel: string, claims: typeof late) => claims.filter(({ delivery }) => delivery.channel === channel)
      const refused = tryOf("smtp", { outcome: "permanent", code: "550" })
      yield* store.report(
        [
          ...of("push", late).map((one) => reportOf(one, sent("late"), [tryOf("fcm")])),
          ...of("email", late).map((one) => reportOf(one, dead, [refused]))
        ],
        secondsAfterNoon(61)
      )
      const states = Effect.map(store.list(key.tenantId, { limit: 9 }), (rows) =>
        Object.fromEntries(rows.map(({ channel, providerMessageId, state }) => [channel, [state, providerMessageId]]))
      )
      expect(yield* states).toEqual({ push: ["sent", "late"], email: ["sending", null] })
      yield* store.report(
        current.map((one) => reportOf(one, failed(secondsAfterNoon(90)))),
        secondsAfterNoon(62)
      )
      expect(yield* states).toEqual({ push: ["sent", "late"], email: ["failed", null] })
      const [mail] = yield* store.list(key.tenantId, { channel: "email", limit: 1 })
      if (mail === undefined) return expect.unreachable()
      const history = (yield* store.get(key.tenantId, mail.id)).pipe((found) =>
        found._tag === "Some" ? found.value.history : []
      )
      expect(history).toMatchObject([{ _tag: "Attempt", attempt: 1, code: "550" }])
    })
  )

  it.effect("ends are final: dead and skipped are not taken again", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push, email])
      const claims = yield* claimOf(key)
      yield* store.report(
        claims.map((one) =>
          reportOf(one, one.delivery.channel === "push" ? dead : { _tag: "Skipped", reason: "acknowledged" })
        ),
        secondsAfterNoon(5)
      )
      expect(yield* claimOf(key, { now: DateTime.add(noon, { days: 9 }) })).toEqual([])
      const rows = yield* store.list(key.tenantId, { limit: 9 })
      expect(rows.map(({ channel, reason, state, updatedAt }) => ({ channel, reason, state, updatedAt }))).toEqual(
        expect.arrayContaining([
          { channel: "push", reason: "invalid", state: "dead", updatedAt: secondsAfterNoon(5) },
          { channel: "email", reason: "acknowledged", state: "skipped", updatedAt: secondsAfterNoon(5) }
        ])
      )
    })
  )
}

const eventSeen = {
  provider: "app",
  eventKey: "seen-5",
  state: "seen",
  code: "opened",
  detail: null,
  at: noon
} as const
