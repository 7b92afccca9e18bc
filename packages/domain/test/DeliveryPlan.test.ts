import { DateTime, Duration } from "effect"
import { assert, describe, it } from "vitest"
import { TenantId } from "../src/Identifiers.ts"
import type { DigestRule, Step, ThrottleRule } from "../src/RoutingPolicy.ts"
import type { Case } from "./DeliveryPlanFixture.ts"
import { at, fallbackAt, now, planOf, reachOf, toUser } from "./DeliveryPlanFixture.ts"

const push: Step = { channel: "push", when: "unacknowledged" }
const mail: Step = { channel: "email", when: "unseen", afterSeconds: 600 }
const sms: Step = { channel: "sms", when: "always" }

/** Quiet from 11:00 to 15:00 in UTC. */
const lunch = { quietHours: { start: "11:00", end: "15:00" } }
const afterLunch = at(3 * 3_600)

const digest: DigestRule = { channels: ["email"], windowSeconds: 3_600, per: "user", maxItems: 20 }
const throttle: ThrottleRule = { channels: ["sms"], limit: 3, windowSeconds: 60, per: "user" }

const webhook = (endpointId: string) =>
  ({
    channel: "webhook",
    target: { _tag: "Endpoint", endpointId },
    condition: "always",
    urgency: 5,
    dueAt: now
  }) as const

const expectPlan = (one: Case, ...expected: ReturnType<typeof planOf>) => assert.deepStrictEqual(planOf(one), expected)

describe("DeliveryPlan.plan: steps", () => {
  it("pushes to whom nobody has set anything for, unless he acknowledges in time", () => {
    expectPlan({}, toUser("push", "unacknowledged", fallbackAt))
    expectPlan({ due: { acknowledged: true } })
  })

  it("counts from the acceptance, or from the end of the time to acknowledge, and is never due before now", () => {
    const steps = [{ ...push, afterSeconds: 60 }, mail, { ...sms, afterSeconds: 30 }]
    expectPlan(
      { rule: { steps } },
      toUser("push", "unacknowledged", DateTime.add(fallbackAt, { seconds: 60 })),
      toUser("email", "unseen", at(600)),
      toUser("sms", "always", at(30))
    )
    const late = at(7_200)
    expectPlan(
      { rule: { steps }, now: late },
      toUser("push", "unacknowledged", late),
      toUser("email", "unseen", late),
      toUser("sms", "always", late)
    )
  })

  it("leaves out what can never be wanted any more", () => {
    const rule = { steps: [push, mail, sms] }
    const always = toUser("sms", "always", now)
    expectPlan({ rule, due: { acknowledged: true } }, toUser("email", "unseen", at(600)), always)
    expectPlan({ rule, due: { acknowledged: true, seen: true } }, always)
    expectPlan({ rule, due: { seen: true } }, always)
    // Nor is anything said of a switch that would have kept it back.
    expectPlan({ rule, due: { seen: true }, preferences: { channels: { push: false } } }, always)
  })

  it("does what the sender says about push", () => {
    const rule = { steps: [push, mail] }
    const mailed = toUser("email", "unseen", at(600))
    expectPlan({ rule, notification: { push: "never" } }, mailed)
    expectPlan({ rule, notification: { push: "always" } }, toUser("push", "always", now), mailed)
    expectPlan({ rule: { steps: [mail] }, notification: { push: "always" } }, toUser("push", "always", now), mailed)
  })

  it("takes the channels that the sender named, once each, instead of all else", () => {
    const options = { channels: ["in_app", "sms", "push", "sms"] } as const
    const both = [toUser("sms", "always", now), toUser("push", "always", now)]
    expectPlan({ rule: { steps: [mail] }, notification: { options, push: "never" } }, ...both)
    expectPlan({ notification: { options }, due: { acknowledged: true, seen: true } }, ...both)
    expectPlan({ rule: { steps: [sms] }, notification: { options: { channels: ["in_app"] }, push: "always" } })
  })

  it("takes the rule of the sender's category before that of the type's", () => {
    const policy = {
      types: { order_created: { category: "orders" } },
      categories: { orders: { steps: [mail] }, urgent: { steps: [sms] } }
    }
    expectPlan({ policy }, toUser("email", "unseen", at(600)))
    expectPlan({ policy, notification: { options: { category: "urgent" } } }, toUser("sms", "always", now))
  })

  it("carries the urgency of the notification", () => {
    expectPlan(
      { notification: { urgency: 9 }, endpoints: [{ id: "e", types: undefined }] },
      toUser("push", "unacknowledged", fallbackAt, { urgency: 9 }),
      { ...webhook("e"), urgency: 9 }
    )
  })

  it("sends once what several steps of a channel ask for at one moment, under the widest condition", () => {
    const steps: ReadonlyArray<Step> = [
      { channel: "push", when: "unacknowledged" },
      { channel: "push", when: "unseen" },
      { channel: "push", when: "always" },
      { channel: "push", when: "unseen", afterSeconds: 3_600 }
    ]
    const offline = { notification: { fallbackAt: now } }
    expectPlan({ rule: { steps }, ...offline }, toUser("push", "always", now), toUser("push", "unseen", at(3_600)))
    const [first, second] = steps
    if (first === undefined || second === undefined) return assert.fail()
    expectPlan({ rule: { steps: [first, second, first] }, ...offline }, toUser("push", "unseen", now))
    expectPlan(
      { rule: { steps } },
      toUser("push", "always", now),
      toUser("push", "unacknowledged", fallbackAt),
      toUser("push", "unseen", at(3_600))
    )
  })
})

describe("DeliveryPlan.plan: who wants it and who can send it", () => {
  it("keeps what the user does not want as skipped, once for a channel, with the reason", () => {
    const rule = { steps: [push, { ...push, afterSeconds: 60 }, sms] }
    const sent = toUser("sms", "always", now)
    expectPlan(
      { rule, preferences: { channels: { push: false } } },
      toUser("push", "unacknowledged", fallbackAt, { skipped: "switched_off" }),
      sent
    )
    expectPlan(
      { rule, preferences: { mutedTypes: ["order_created"], types: { order_created: { sms: true } } } },
      toUser("push", "unacknowledged", fallbackAt, { skipped: "muted" }),
      sent
    )
    const options = { channels: ["sms"], category: "ads" } as const
    expectPlan(
      { notification: { options }, preferences: { categories: { ads: { sms: false } } } },
      toUser("sms", "always", now, { skipped: "switched_off" })
    )
  })

  it("goes by the category of the type's rule as well", () => {
    expectPlan(
      {
        policy: { defaults: { steps: [sms] }, types: { order_created: { category: "orders" } } },
        preferences: { categories: { orders: { sms: false } } }
      },
      toUser("sms", "always", now, { skipped: "switched_off" })
    )
  })

  it("leaves out channels without a provider, but says so of those that the sender named", () => {
    const reach = reachOf("email")
    expectPlan({ rule: { steps: [sms, mail] }, reach }, toUser("email", "unseen", at(600)))
    expectPlan({ rule: { steps: [sms] }, preferences: { channels: { sms: false } }, reach })
    const notification = { options: { channels: ["sms", "email"] as const } }
    expectPlan(
      { notification, reach },
      toUser("sms", "always", now, { skipped: "no_provider" }),
      toUser("email", "always", now)
    )
    expectPlan(
      { notification, reach: reachOf(), preferences: { channels: { sms: false } } },
      toUser("sms", "always", now, { skipped: "switched_off" }),
      toUser("email", "always", now, { skipped: "no_provider" })
    )
  })

  it("lets nothing that a user sets stand in the way of what is critical", () => {
    expectPlan(
      {
        rule: {
          steps: [sms, { channel: "email", when: "always" }],
          critical: true,
          digest: { ...digest, channels: ["email", "sms"] },
          throttle
        },
        preferences: { ...lunch, channels: { sms: false }, mutedTypes: ["order_created"] }
      },
      toUser("sms", "always", now),
      toUser("email", "always", now)
    )
    expectPlan(
      { rule: { critical: true }, notification: { options: { channels: ["sms"] } }, reach: reachOf() },
      toUser("sms", "always", now, { skipped: "no_provider" })
    )
  })
})

describe("DeliveryPlan.plan: webhooks", () => {
  const endpoints = [
    { id: "all", types: undefined },
    { id: "orders", types: ["order_created"] },
    { id: "others", types: ["other"] }
  ]

  it("go to each endpoint that wants the type, at once, whatever steps and users say", () => {
    const both = [webhook("all"), webhook("orders")]
    const rule = { steps: [{ channel: "webhook", when: "unseen", afterSeconds: 60 }] as const }
    expectPlan({ endpoints, rule, reach: reachOf() }, ...both)
    const quiet = { start: "11:00", end: "15:00", channels: ["webhook"] as const }
    expectPlan(
      {
        endpoints,
        rule: {
          steps: [{ channel: "webhook", when: "always" }],
          digest: { ...digest, channels: ["webhook"] },
          throttle: { ...throttle, channels: ["webhook"] }
        },
        preferences: { quietHours: quiet, channels: { webhook: false }, mutedTypes: ["order_created"] },
        due: { acknowledged: true, seen: true }
      },
      ...both
    )
    expectPlan({ endpoints, notification: { options: { channels: ["webhook"] } } }, ...both)
    expectPlan({ endpoints, notification: { options: { channels: ["in_app"] } } }, ...both)
  })

  it("go nowhere without an endpoint, which is told to a sender who named them", () => {
    expectPlan({ rule: { steps: [{ channel: "webhook", when: "always" }] } })
    expectPlan(
      {
        endpoints: [{ id: "others", types: ["other"] }],
        notification: { options: { channels: ["webhook"] } },
        preferences: { channels: { webhook: false } }
      },
      toUser("webhook", "always", now, { skipped: "no_provider" })
    )
  })

  it("go to the endpoints of the tenant only", () => {
    expectPlan({ endpoints, due: { tenantId: TenantId.make("other") } }, toUser("push", "unacknowledged", fallbackAt))
  })
})

describe("DeliveryPlan.plan: quiet hours", () => {
  it("let what is due in them wait, and then only go out unseen", () => {
    expectPlan(
      { rule: { steps: [push, sms, mail] }, preferences: lunch },
      toUser("push", "unacknowledged", afterLunch),
      toUser("sms", "unseen", afterLunch),
      toUser("email", "unseen", at(600))
    )
  })

  it("do not concern what is due after them, nor change its condition", () => {
    const steps = [{ ...sms, afterSeconds: 3 * 3_600 }]
    expectPlan({ rule: { steps }, preferences: lunch }, toUser("sms", "always", afterLunch))
  })

  it("make one of what they gather at their end", () => {
    const steps: ReadonlyArray<Step> = [push, { channel: "push", when: "unseen", afterSeconds: 3_600 }]
    expectPlan({ rule: { steps }, preferences: lunch }, toUser("push", "unseen", afterLunch))
  })

  it("are those of the user's time zone, or the directory's, or the tenant's, or UTC", () => {
    // 21:00 to 22:00 on the user's wall is noon in UTC only in Tokyo.
    const quietHours = { start: "20:30", end: "22:00" }
    const rule = { steps: [sms] }
    const moved = toUser("sms", "unseen", at(3_600))
    const free = toUser("sms", "always", now)
    const tokyo = "Asia/Tokyo"
    const policy = { defaults: rule, timeZone: tokyo }
    expectPlan({ rule, preferences: { quietHours, timeZone: tokyo }, due: { timeZone: "Europe/Berlin" } }, moved)
    expectPlan({ rule, preferences: { quietHours }, due: { timeZone: tokyo } }, moved)
    expectPlan({ policy, preferences: { quietHours } }, moved)
    expectPlan({ policy, preferences: { quietHours }, due: { timeZone: "Europe/Berlin" } }, free)
    expectPlan({ rule, preferences: { quietHours } }, free)
    expectPlan({ rule, preferences: { ...lunch, timeZone: "Mars/Olympus" } }, toUser("sms", "unseen", afterLunch))
  })
})

describe("DeliveryPlan.plan: digests and throttles", () => {
  const gathers = { key: "user", window: Duration.hours(1), maxItems: 20 }
  const limits = { key: "sms:user", limit: 3, window: Duration.minutes(1) }

  it("lets its channels wait for a window, under the condition of their step", () => {
    expectPlan(
      { rule: { steps: [sms, mail], digest } },
      toUser("sms", "always", now),
      toUser("email", "unseen", at(600 + 3_600), { digest: { ...gathers, notBefore: at(600) } })
    )
    expectPlan(
      { rule: { steps: [mail], digest }, now: at(600) },
      toUser("email", "unseen", at(4_200), { digest: gathers })
    )
  })

  it("does not gather what goes to an address of its own: it is limited as if there were no digest", () => {
    const channels = ["email", "sms"] as const
    const limited = { ...throttle, channels }
    const rule = { steps: [sms, { ...mail, afterSeconds: 0 }], digest: { ...digest, channels }, throttle: limited }
    const single = { email: toUser("email", "unseen", now, { throttle: { ...limits, key: "email:user" } }) }
    const digests = {
      sms: toUser("sms", "always", at(3_600), { digest: gathers }),
      email: toUser("email", "unseen", at(3_600), { digest: gathers })
    }
    const to = (addresses: { readonly email?: string; readonly phone?: string }) => ({
      rule,
      notification: { options: { to: addresses } }
    })
    expectPlan(to({}), digests.sms, digests.email)
    expectPlan(to({ email: "x@example.com" }), digests.sms, single.email)
    expectPlan(to({ phone: "+15550100" }), toUser("sms", "always", now, { throttle: limits }), digests.email)
  })

  it("counts a notification once in a digest: by its earliest step that is still wanted", () => {
    const steps: ReadonlyArray<Step> = [
      { channel: "email", when: "unseen", afterSeconds: 7_200 },
      { channel: "email", when: "unacknowledged" }
    ]
    const rule = { steps, digest }
    const delayed = DateTime.add(fallbackAt, { hours: 1 })
    const early = { ...gathers, notBefore: fallbackAt }
    const late = { ...gathers, notBefore: at(2 * 3_600) }
    expectPlan({ rule }, toUser("email", "unacknowledged", delayed, { digest: early }))
    expectPlan({ rule, due: { acknowledged: true } }, toUser("email", "unseen", at(3 * 3_600), { digest: late }))
  })

  it("lets a digest wait for the end of the quiet hours too", () => {
    const rule = { steps: [sms], digest: { ...digest, channels: ["sms"] as const } }
    const silent = { ...gathers, notBefore: afterLunch }
    expectPlan({ rule, preferences: lunch }, toUser("sms", "unseen", afterLunch, { digest: silent }))
    const loud = {
      ...rule,
      digest: { ...rule.digest, channels: ["email"] as const },
      steps: [{ ...mail, afterSeconds: 0 }]
    }
    expectPlan({ rule: loud, preferences: lunch }, toUser("email", "unseen", at(3_600), { digest: gathers }))
  })

  it("lets a full digest wait for a silence that holds already, not for one that begins before its window ends", () => {
    const rule = { steps: [sms], digest: { ...digest, channels: ["sms"] as const, windowSeconds: 7_200 } }
    const night = { quietHours: { start: "22:00", end: "07:00" } }
    const window = { ...gathers, window: Duration.hours(2) }
    const morning = at(19 * 3_600)
    const planAt = (time: string) => {
      const createdAt = DateTime.makeUnsafe(`2026-06-03T${time}:00Z`)
      return { rule, preferences: night, notification: { createdAt }, now: createdAt }
    }
    expectPlan(planAt("21:59"), toUser("sms", "unseen", morning, { digest: window }))
    expectPlan(planAt("22:30"), toUser("sms", "unseen", morning, { digest: { ...window, notBefore: morning } }))
  })

  it("puts together those of a user, a category or a type", () => {
    const keyWith = (per: DigestRule["per"], category?: string): string | undefined =>
      planOf({
        rule: { steps: [mail], digest: { ...digest, per } },
        notification: { options: category === undefined ? {} : { category } }
      })[0]?.digest?.key
    assert.strictEqual(keyWith("user", "news"), "user")
    assert.strictEqual(keyWith("category", "news"), "category:news")
    assert.strictEqual(keyWith("category"), "type:order_created")
    assert.strictEqual(keyWith("type", "news"), "type:order_created")
  })

  it("limits its channels by a key of their own", () => {
    const rule = { steps: [sms, mail], throttle }
    expectPlan({ rule }, toUser("sms", "always", now, { throttle: limits }), toUser("email", "unseen", at(600)))
    const keyPer = (per: ThrottleRule["per"]): string | undefined =>
      planOf({ rule: { ...rule, throttle: { ...throttle, per } }, notification: { options: { category: "news" } } })[0]
        ?.throttle?.key
    assert.strictEqual(keyPer("category"), "sms:category:news")
    assert.strictEqual(keyPer("type"), "sms:type:order_created")
  })

  it("does not limit what gathers: no item of a digest may be lost", () => {
    const rule = { steps: [sms], throttle, digest: { ...digest, channels: ["sms"] as const } }
    expectPlan({ rule }, toUser("sms", "always", at(3_600), { digest: gathers }))
  })

  it("does not count, nor gather, what is skipped", () => {
    const rule = { steps: [sms, mail], throttle, digest }
    expectPlan(
      { rule, preferences: { channels: { sms: false, email: false } } },
      toUser("sms", "always", now, { skipped: "switched_off" }),
      toUser("email", "unseen", at(600), { skipped: "switched_off" })
    )
  })
})
