import { DateTime, Duration } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { wishOf } from "../src/ChannelWish.ts"
import type { DeliveryChannel } from "../src/Delivery.ts"
import { deliveryChannels } from "../src/Delivery.ts"
import type { DeliveryOptions } from "../src/DeliveryOptions.ts"
import * as DeliveryPlan from "../src/DeliveryPlan.ts"
import { NotificationId } from "../src/Identifiers.ts"
import * as MailboxState from "../src/MailboxState.ts"
import type { Draft } from "../src/Notification.ts"
import type { Preferences } from "../src/Preferences.ts"
import { categoryOf, resolve, stepsOf } from "../src/ResolvedRule.ts"
import type { RoutingPolicy, Rule, Step } from "../src/RoutingPolicy.ts"
import type { Case } from "./DeliveryPlanFixture.ts"
import { contextOf, dueOf, fallbackAt, notificationOf, now, settings, tenantId, userId } from "./DeliveryPlanFixture.ts"
import { isQuiet } from "./WallClock.ts"

const types = ["order_created", "parcel", "constructor"] as const
const categories = ["news", "ads"] as const
const zones = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Kiritimati"] as const

const optional = { requiredKeys: [] as [] }
const seconds = fc.constantFrom(0, 1, 5, 6, 7, 60, 3_600, 40_000)
const channels = fc.subarray([...deliveryChannels], { minLength: 1 })

const steps: fc.Arbitrary<Step> = fc.record(
  {
    channel: fc.constantFrom(...deliveryChannels),
    when: fc.constantFrom("always", "unacknowledged", "unseen"),
    afterSeconds: seconds
  },
  { requiredKeys: ["channel", "when"] }
)
const per = fc.constantFrom("user", "category", "type")
const rules: fc.Arbitrary<Rule> = fc.record(
  {
    critical: fc.boolean(),
    steps: fc.array(steps, { maxLength: 8 }),
    digest: fc.option(
      fc.record({ channels, windowSeconds: fc.constantFrom(1, 600, 90_000), per, maxItems: fc.nat(9) })
    ),
    throttle: fc.option(fc.record({ channels, limit: fc.nat(9), windowSeconds: fc.constantFrom(1, 600), per }))
  },
  optional
)
const policies: fc.Arbitrary<RoutingPolicy> = fc.record(
  {
    defaults: rules,
    categories: fc.dictionary(fc.constantFrom(...categories), rules),
    types: fc.dictionary(
      fc.constantFrom(...types),
      fc
        .tuple(rules, fc.option(fc.constantFrom(...categories), { nil: undefined }))
        .map(([rule, category]) => (category === undefined ? rule : { ...rule, category }))
    ),
    timeZone: fc.constantFrom(...zones)
  },
  optional
)

const switches = fc.dictionary(fc.constantFrom(...deliveryChannels), fc.boolean())
const times = fc.constantFrom("00:00", "02:30", "07:00", "11:30", "13:00", "22:00", "23:59")
const quietHours = fc
  .record(
    {
      start: times,
      end: times,
      channels: fc.subarray([...deliveryChannels]),
      days: fc.subarray([1, 2, 3, 4, 5, 6, 7], { minLength: 3 })
    },
    { requiredKeys: ["start", "end"] }
  )
  .filter(({ end, start }) => start !== end)
const preferences: fc.Arbitrary<Preferences> = fc.record(
  {
    channels: switches,
    mutedTypes: fc.subarray([...types], { maxLength: 1 }),
    types: fc.dictionary(fc.constantFrom(...types), switches),
    categories: fc.dictionary(fc.constantFrom(...categories), switches),
    quietHours,
    timeZone: fc.constantFrom(...zones, "Mars/Olympus")
  },
  { requiredKeys: ["channels", "mutedTypes"] }
)
const options: fc.Arbitrary<DeliveryOptions> = fc.record(
  {
    channels: fc.array(fc.constantFrom("in_app", ...deliveryChannels), { minLength: 1, maxLength: 6 }),
    category: fc.constantFrom(...categories),
    to: fc.record({ email: fc.constant("x@example.com"), phone: fc.constant("+15550100") }, optional)
  },
  optional
)

const drafts: fc.Arbitrary<Draft> = fc
  .record(
    {
      type: fc.constantFrom(...types),
      push: fc.constantFrom("fallback", "always", "never"),
      urgency: fc.integer({ min: 1, max: 10 }),
      options
    },
    { requiredKeys: ["type"] }
  )
  .map((draft) => ({ tenantId, userId, title: "title", message: "", priority: "medium", ...draft }))

const endpoints = fc.array(fc.record({ types: fc.option(fc.subarray([...types]), { nil: undefined }) }), {
  maxLength: 3
})

/** A case, and the moment at which it is planned: at once, a little or half a day late. */
const cases: fc.Arbitrary<Case & { readonly now: DateTime.Utc; readonly reach: DeliveryPlan.Reach }> = fc
  .record({
    policy: policies,
    preferences: fc.option(preferences, { nil: undefined }),
    draft: drafts,
    timeZone: fc.option(fc.constantFrom(...zones)),
    acknowledged: fc.boolean(),
    seen: fc.boolean(),
    endpoints,
    provided: fc.subarray([...deliveryChannels]),
    late: fc.constantFrom(0, 0, 7, 43_200),
    /** The nights of changes of the clock come up too. */
    from: fc.constantFrom(
      "2026-06-03T12:00:00Z",
      "2026-03-28T21:00:00Z",
      "2026-10-24T22:30:00Z",
      "2026-04-04T13:00:00Z"
    )
  })
  .map(({ acknowledged, draft, endpoints: list, from, late, policy, preferences: set, provided, seen, timeZone }) => {
    const createdAt = DateTime.makeUnsafe(from)
    return {
      policy,
      ...(set === undefined ? {} : { preferences: set }),
      notification: {
        type: draft.type,
        push: draft.push ?? "fallback",
        urgency: draft.urgency ?? 5,
        options: draft.options ?? null,
        createdAt,
        fallbackAt: DateTime.addDuration(createdAt, DateTime.distance(now, fallbackAt))
      },
      due: { timeZone, acknowledged, seen },
      endpoints: list.map((endpoint, index) => ({ id: `e-${index}`, types: endpoint.types })),
      reach: { channels: new Set(provided) },
      now: DateTime.add(createdAt, { seconds: late })
    }
  })

const planOf = (one: Case & { readonly now: DateTime.Utc; readonly reach: DeliveryPlan.Reach }) => {
  const due = dueOf(one)
  const { options: chosen, push, type } = due.notification
  const policy = one.policy ?? {}
  const category = categoryOf(policy, type, chosen)
  const rule = resolve(policy, type, category)
  const wanted = stepsOf(rule, push, chosen).filter(
    ({ when }) => when === "always" || (!due.seen && (when === "unseen" || !due.acknowledged))
  )
  const deliveries = DeliveryPlan.plan(due, contextOf(one), one.reach, one.now)
  return { due, rule, category, wanted, deliveries, toUser: deliveries.filter(({ target }) => target._tag === "User") }
}

const runs = { numRuns: 1_500 }

describe("DeliveryPlan.plan, of anything", () => {
  it("asks for nothing twice", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { deliveries } = planOf(one)
        const moments = deliveries.map((delivery) =>
          JSON.stringify([delivery.channel, delivery.target, DateTime.toEpochMillis(delivery.dueAt)])
        )
        assert.strictEqual(new Set(moments).size, moments.length)
        for (const single of [deliveries.filter(({ digest }) => digest), deliveries.filter(({ skipped }) => skipped)]) {
          assert.strictEqual(new Set(single.map(({ channel }) => channel)).size, single.length)
        }
      }),
      runs
    )
  })

  it("sends on a channel exactly if a step asks for it, it has a provider and the user wants it, or it is critical", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { category, due, rule, toUser, wanted } = planOf(one)
        const named = due.notification.options?.channels
        for (const channel of deliveryChannels.filter((each) => each !== "webhook")) {
          const mine = toUser.filter((delivery) => delivery.channel === channel)
          const isAsked = wanted.some((step) => step.channel === channel)
          const hasProvider = one.reach.channels.has(channel)
          const wish = rule.critical ? "wanted" : wishOf(due.preferences, channel, due.notification.type, category)
          const fates = new Set(mine.map(({ skipped }) => skipped))
          if (!isAsked || (!hasProvider && named === undefined)) assert.deepStrictEqual(mine, [])
          else if (wish !== "wanted") assert.deepStrictEqual(fates, new Set([wish]))
          else assert.deepStrictEqual(fates, new Set([hasProvider ? undefined : "no_provider"]))
        }
      }),
      runs
    )
  })

  it("tells every endpoint that wants the type, once, at once", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { deliveries, due } = planOf(one)
        const { type, urgency } = due.notification
        assert.deepStrictEqual<unknown>(
          deliveries.filter(({ target }) => target._tag === "Endpoint"),
          (one.endpoints ?? [])
            .filter((endpoint) => endpoint.types?.includes(type) ?? true)
            .map(({ id }) => ({
              channel: "webhook",
              target: { _tag: "Endpoint", endpointId: id },
              condition: "always",
              urgency,
              dueAt: one.now
            }))
        )
      }),
      runs
    )
  })

  it("is never due before now, nor before the earliest of its steps, nor in the quiet hours of a channel that keeps them", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { due, rule, toUser, wanted } = planOf(one)
        const { createdAt, fallbackAt: patience } = due.notification
        const quiet = due.preferences?.quietHours
        const asked = due.preferences?.timeZone
        const named = asked === "Mars/Olympus" ? undefined : asked
        const zone = named ?? due.timeZone ?? one.policy?.timeZone ?? "UTC"
        for (const { channel, condition, digest, dueAt, skipped } of toUser) {
          const dues = wanted
            .filter((step) => step.channel === channel)
            .map(({ afterSeconds = 0, when }) =>
              DateTime.toEpochMillis(
                DateTime.add(when === "unacknowledged" ? patience : createdAt, { seconds: afterSeconds })
              )
            )
          const millis = DateTime.toEpochMillis(dueAt)
          assert.isAtLeast(millis, Math.max(DateTime.toEpochMillis(one.now), Math.min(...dues)))
          if (skipped !== undefined || rule.critical || quiet === undefined) continue
          if (!(quiet.channels ?? ["push", "sms", "whatsapp"]).includes(channel)) continue
          assert.isFalse(isQuiet(quiet, zone, millis))
          // A digest that is full goes out at this time.
          if (digest !== undefined) {
            const full = DateTime.max(one.now, digest.notBefore ?? one.now)
            assert.isFalse(isQuiet(quiet, zone, DateTime.toEpochMillis(full)))
            assert.isAtMost(DateTime.toEpochMillis(full), millis)
          }
          const isOnTime = dues.some((at) => Math.max(at, DateTime.toEpochMillis(one.now)) === millis)
          if (condition === "always" && rule.digest === null) assert.isTrue(isOnTime)
        }
      }),
      runs
    )
  })

  it("sends what is critical at its time, by itself and without a limit", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const critical = { ...one, policy: { defaults: { ...one.policy?.defaults, critical: true } } }
        const { due, toUser, wanted } = planOf(critical)
        const sent = toUser.filter(({ skipped }) => skipped === undefined)
        assert.isTrue(sent.every(({ digest, throttle }) => digest === undefined && throttle === undefined))
        for (const { afterSeconds = 0, channel, when } of wanted) {
          if (channel === "webhook" || !one.reach.channels.has(channel)) continue
          const from = when === "unacknowledged" ? due.notification.fallbackAt : due.notification.createdAt
          const at = DateTime.max(one.now, DateTime.add(from, { seconds: afterSeconds }))
          assert.isTrue(sent.some((each) => each.channel === channel && DateTime.Equivalence(each.dueAt, at)))
        }
      }),
      runs
    )
  })

  it("says the same again, also of equal settings that were read anew", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { deliveries } = planOf(one)
        assert.deepStrictEqual(planOf(one).deliveries, deliveries)
        const { policy = {} } = one
        assert.deepStrictEqual(planOf({ ...one, policy: structuredClone(policy) }).deliveries, deliveries)
      })
    )
  })
})

describe("DeliveryPlan.timing", () => {
  const timingOf = (
    rule: Rule,
    draft: Partial<Draft> = {},
    more: Partial<DeliveryPlan.TimingSettings> = {},
    online = true
  ): readonly [number | null, number] => {
    const whole: Draft = { tenantId, userId, type: "parcel", title: "t", message: "", priority: "low", ...draft }
    const timing = DeliveryPlan.timing(whole, online, { defaults: rule }, { ...settings, ...more }, now)
    const millis = (at: DateTime.Utc) => Duration.toMillis(DateTime.distance(now, at))
    return [timing.planAt === null ? null : millis(timing.planAt), millis(timing.fallbackAt)]
  }
  const only = (...channelsWithProvider: ReadonlyArray<DeliveryChannel>) => ({
    channels: new Set(channelsWithProvider)
  })

  it("waits for the acknowledgement of whom is there, and for nobody who is not", () => {
    assert.deepStrictEqual(timingOf({}), [6_500, 6_500])
    assert.deepStrictEqual(timingOf({}, {}, {}, false), [0, 0])
    assert.deepStrictEqual(
      timingOf({ steps: [{ channel: "push", when: "unacknowledged", afterSeconds: 60 }] }),
      [6_500, 6_500]
    )
    assert.deepStrictEqual(
      timingOf({ steps: [{ channel: "email", when: "unseen", afterSeconds: 600 }] }),
      [6_500, 6_500]
    )
  })

  it("waits no longer than an unseen step that is due before", () => {
    assert.deepStrictEqual(timingOf({ steps: [{ channel: "email", when: "unseen", afterSeconds: 2 }] }), [2_000, 6_500])
    assert.deepStrictEqual(timingOf({ steps: [{ channel: "email", when: "unseen" }] }), [0, 6_500])
  })

  it("plans at once what needs no acknowledgement", () => {
    const later = { channel: "sms", when: "always", afterSeconds: 60 } as const
    assert.deepStrictEqual(timingOf({ steps: [{ channel: "email", when: "unacknowledged" }, later] }), [0, 6_500])
    assert.deepStrictEqual(timingOf({}, { push: "always" }), [0, 6_500])
    assert.deepStrictEqual(timingOf({}, { options: { channels: ["in_app", "email"] } }, only()), [0, 6_500])
    assert.deepStrictEqual(timingOf({ steps: [] }, {}, { ...only(), hasEndpoints: true }), [0, 6_500])
  })

  it("does not plan what can never be delivered", () => {
    assert.deepStrictEqual(timingOf({}, {}, only("email")), [null, 6_500])
    assert.deepStrictEqual(timingOf({ steps: [] }), [null, 6_500])
    assert.deepStrictEqual(timingOf({}, { push: "never" }, {}, false), [null, 0])
    assert.deepStrictEqual(timingOf({}, { options: { channels: ["in_app"] } }), [null, 6_500])
    assert.deepStrictEqual(timingOf({ steps: [{ channel: "webhook", when: "always" }] }), [null, 6_500])
  })

  it("takes the rule of the draft's type and category", () => {
    const policy: RoutingPolicy = {
      types: { parcel: { category: "news" } },
      categories: { news: { steps: [{ channel: "sms", when: "always" }] }, ads: { steps: [] } }
    }
    const planAt = (draft: Partial<Draft>) => {
      const whole: Draft = { tenantId, userId, type: "parcel", title: "t", message: "", priority: "low", ...draft }
      return DeliveryPlan.timing(whole, true, policy, settings, now).planAt
    }
    assert.deepStrictEqual(planAt({}), now)
    assert.isNull(planAt({ options: { category: "ads" } }))
    assert.deepStrictEqual(planAt({ type: "order_created" }), fallbackAt)
  })

  it("is never later than the first delivery that a plan at once would give, and never absent when it gives one", () => {
    fc.assert(
      fc.property(cases, drafts, fc.boolean(), (one, draft, online) => {
        const { endpoints: list = [], policy = {}, reach } = one
        const given = { ...settings, ...reach, hasEndpoints: list.length > 0 }
        const [, { rows }] = MailboxState.accept(
          { epoch: "e", seq: 0, floor: 0, rev: 0, unread: 0, acknowledged: 0 },
          [draft],
          new Map(),
          now,
          () => NotificationId.make("n"),
          (each) => DeliveryPlan.timing(each, online, policy, given, now)
        )
        const notification = rows[0] ?? notificationOf()
        assert.isTrue(online || notification.planAt === null || DateTime.Equivalence(notification.planAt, now))
        const due = { ...dueOf({ ...one, notification }), acknowledged: false, seen: false }
        const planned = DeliveryPlan.plan(due, contextOf(one), reach, now)
        for (const { dueAt } of planned) {
          if (notification.planAt === null) return assert.fail("it is never planned")
          assert.isAtMost(DateTime.toEpochMillis(notification.planAt), DateTime.toEpochMillis(dueAt))
        }
      }),
      runs
    )
  })
})
