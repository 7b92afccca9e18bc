/**
 * What a tenant's routing says of one kind of notification, with everything that it leaves out filled in.
 *
 * **Details**
 *
 * For each field the first of these that has it wins: the rule of the type, of the category, `defaults`, Beckon's own. A digest
 * or a throttle that is `null` is a word too: there is none. The category is the sender's, else that of the rule of the type.
 *
 * Mailboxes ask for every draft, so the answers are kept as long as their policy is. They are found by the rules that they are
 * made of: names that the policy does not know cost no memory.
 */
import { ownOf } from "./ChannelWish.ts"
import type { DeliveryOptions } from "./DeliveryOptions.ts"
import type { PushPolicy } from "./Notification.ts"
import type { DigestRule, RoutingPolicy, Rule, Step, ThrottleRule, TypeRule } from "./RoutingPolicy.ts"
import { builtIn } from "./RoutingPolicy.ts"

export interface ResolvedRule {
  readonly critical: boolean
  /** By the push policy of the notification. */
  readonly steps: Readonly<Record<PushPolicy, ReadonlyArray<Step>>>
  readonly digest: DigestRule | null
  readonly throttle: ThrottleRule | null
}

const make = (rule: Rule): ResolvedRule => {
  const { critical = false, digest = null, steps = [], throttle = null } = rule
  const withoutPush = steps.filter(({ channel }) => channel !== "push")
  return {
    critical,
    steps: { fallback: steps, never: withoutPush, always: [{ channel: "push", when: "always" }, ...withoutPush] },
    digest,
    throttle
  }
}

const known = new WeakMap<RoutingPolicy, Map<TypeRule | undefined, Map<Rule | undefined, ResolvedRule>>>()

export const categoryOf = (
  policy: RoutingPolicy,
  type: string,
  options: DeliveryOptions | null | undefined
): string | undefined => options?.category ?? ownOf(policy.types, type)?.category

export const resolve = (policy: RoutingPolicy, type: string, category: string | undefined): ResolvedRule => {
  const typeRule = ownOf(policy.types, type)
  const categoryRule = category === undefined ? undefined : ownOf(policy.categories, category)
  let ofPolicy = known.get(policy)
  if (ofPolicy === undefined) known.set(policy, (ofPolicy = new Map()))
  let ofType = ofPolicy.get(typeRule)
  if (ofType === undefined) ofPolicy.set(typeRule, (ofType = new Map()))
  let rule = ofType.get(categoryRule)
  if (rule === undefined) {
    ofType.set(categoryRule, (rule = make({ ...builtIn, ...policy.defaults, ...categoryRule, ...typeRule })))
  }
  return rule
}

/** The steps of a notification. Channels that its sender named are his word, also about push. */
export const stepsOf = (
  rule: ResolvedRule,
  push: PushPolicy,
  options: DeliveryOptions | null | undefined
): ReadonlyArray<Step> =>
  options?.channels === undefined
    ? rule.steps[push]
    : options.channels.flatMap((channel): ReadonlyArray<Step> =>
        channel === "in_app" ? [] : [{ channel, when: "always" }]
      )
