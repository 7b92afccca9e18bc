/**
 * Which deliveries a notification gets, and when: a pure function of it, of what its user and its tenant have set, and of time.
 *
 * **Steps**
 *
 * The tenant's rule gives the steps (`ResolvedRule`). `push: never` takes those of push away; `always` puts one push at once in
 * their place. Channels that the sender named (`options.channels`) are taken instead of all that, each at once; also push,
 * whatever `push` says.
 *
 * - A step whose condition is lost gives nothing: what is acknowledged or seen stays so. What is seen counts as acknowledged.
 * - A step is due so long after the acceptance as it says; `unacknowledged`, after the end of the time to acknowledge. Never
 *   before now.
 * - A channel that nobody can send on gives nothing. If the sender named it, its fate is `skipped`, `no_provider`.
 * - A channel that the user does not want (`ChannelWish`) is `skipped`, once, with the reason, and that comes before `no_provider`.
 * - Steps of one channel that come to be due at one moment are one, with the widest of their conditions.
 *
 * **Gathering, limits, silence**
 *
 * - What a digest gathers is due a window later. A notification is in one digest of a channel: of several steps the earliest is
 *   taken. It is not throttled besides, because the window is a limit already, and no item may be lost.
 * - A digest that is full goes out earlier, but not before the step, nor in a silence that holds then.
 * - A digest goes to the user's own address: what names another one for the channel (`options.to`) goes by itself.
 * - `per: category` of a notification without one means its type.
 * - What is due in the user's quiet hours waits for their end, in the time zone of his preferences, of the directory, of the
 *   tenant, or UTC. What has waited and was for `always` is only sent while it is unseen: nobody needs to be woken for what he has read.
 * - A critical rule ignores the user's wishes, quiet hours, digests and throttles.
 *
 * **Webhooks**
 *
 * Each enabled endpoint that wants the type gets every notification at once. It is the tenant's own system and no channel of the
 * user: steps, wishes, quiet hours, digests and throttles do not concern it.
 */
import { DateTime, Duration } from "effect"
import { wishOf } from "./ChannelWish.ts"
import type { Condition, DeliveryChannel, Digest, NewDelivery, Throttle } from "./Delivery.ts"
import type { Timing } from "./MailboxState.ts"
import type { Draft } from "./Notification.ts"
import type { DuePlan, PlanContext } from "./ports/DeliveryStore.ts"
import * as QuietTime from "./QuietTime.ts"
import type { ResolvedRule } from "./ResolvedRule.ts"
import { categoryOf, resolve, stepsOf } from "./ResolvedRule.ts"
import type { RoutingPolicy, Step } from "./RoutingPolicy.ts"
import { empty } from "./RoutingPolicy.ts"

/** What this deployment can do. */
export interface Reach {
  /** Channels that have a provider; of webhooks, their endpoints decide. */
  readonly channels: ReadonlySet<DeliveryChannel>
}

/** When a channel is used, in milliseconds since 1970, and while what holds. */
interface Moment {
  readonly condition: Condition
  readonly at: number
}

const breadth: Readonly<Record<Condition, number>> = { unacknowledged: 0, unseen: 1, always: 2 }

/** One moment for each time, the earliest first. */
const merged = (moments: ReadonlyArray<Moment>): ReadonlyArray<Moment> =>
  moments
    .toSorted((a, b) => a.at - b.at || breadth[b.condition] - breadth[a.condition])
    .filter(({ at }, index, all) => at !== all[index - 1]?.at)

const isLost = (condition: Condition, { acknowledged, seen }: DuePlan): boolean =>
  condition !== "always" && (seen || (condition === "unacknowledged" && acknowledged))

const momentOf = ({ afterSeconds = 0, when }: Step, { notification }: DuePlan, now: number): Moment => {
  const from = when === "unacknowledged" ? notification.fallbackAt : notification.createdAt
  return { condition: when, at: Math.max(now, DateTime.toEpochMillis(from) + afterSeconds * 1_000) }
}

const keyOf = (per: "user" | "category" | "type", type: string, category: string | undefined): string => {
  if (per === "user") return per
  return per === "category" && category !== undefined ? `category:${category}` : `type:${type}`
}

const digestOf = (
  { critical, digest }: ResolvedRule,
  channel: DeliveryChannel,
  type: string,
  category: string | undefined
): Digest | undefined =>
  critical || digest === null || !digest.channels.includes(channel)
    ? undefined
    : {
        key: keyOf(digest.per, type, category),
        window: Duration.seconds(digest.windowSeconds),
        maxItems: digest.maxItems
      }

/** Whether the sender named the address to which this channel is to go. */
const namesAddress = (options: DuePlan["notification"]["options"], channel: DeliveryChannel): boolean => {
  if (channel === "email") return options?.to?.email !== undefined
  return (channel === "sms" || channel === "whatsapp") && options?.to?.phone !== undefined
}

const throttleOf = (
  { critical, throttle }: ResolvedRule,
  channel: DeliveryChannel,
  type: string,
  category: string | undefined
): Throttle | undefined =>
  critical || throttle === null || !throttle.channels.includes(channel)
    ? undefined
    : {
        key: `${channel}:${keyOf(throttle.per, type, category)}`,
        limit: throttle.limit,
        window: Duration.seconds(throttle.windowSeconds)
      }

/** How a moment of this channel waits for the end of the user's quiet hours. */
const silenceOf = (
  { critical }: ResolvedRule,
  channel: DeliveryChannel,
  { preferences, timeZone }: DuePlan,
  policy: RoutingPolicy
): ((moment: Moment) => Moment) => {
  const quiet = preferences?.quietHours
  if (critical || quiet === undefined || !QuietTime.silences(quiet, channel)) return (moment) => moment
  const zone = QuietTime.zoneOf([preferences?.timeZone, timeZone, policy.timeZone])
  return (moment) => {
    const at = DateTime.toEpochMillis(QuietTime.endOf(quiet, zone, DateTime.makeUnsafe(moment.at)))
    if (at === moment.at) return moment
    return { at, condition: moment.condition === "always" ? "unseen" : moment.condition }
  }
}

/** The deliveries of a notification whose time to be planned has come; the same for the same arguments. */
export const plan = (
  due: DuePlan,
  context: PlanContext,
  reach: Reach,
  now: DateTime.Utc
): ReadonlyArray<NewDelivery> => {
  const { notification, preferences, tenantId } = due
  const { options, push, type, urgency } = notification
  const policy = context.policies.get(tenantId) ?? empty
  const category = categoryOf(policy, type, options)
  const rule = resolve(policy, type, category)
  const isNamed = options?.channels !== undefined
  const endpoints = (context.endpoints.get(tenantId) ?? []).filter(
    ({ types }) => types === undefined || types.includes(type)
  )
  const nowMillis = DateTime.toEpochMillis(now)

  const steps = new Map<DeliveryChannel, Array<Step>>()
  for (const step of stepsOf(rule, push, options)) {
    if (isLost(step.when, due)) continue
    const ofChannel = steps.get(step.channel)
    if (ofChannel === undefined) steps.set(step.channel, [step])
    else ofChannel.push(step)
  }

  const deliveriesOf = (channel: DeliveryChannel, ofChannel: ReadonlyArray<Step>): ReadonlyArray<NewDelivery> => {
    const make = ({ at, condition }: Moment, more: Pick<NewDelivery, "digest" | "throttle" | "skipped">) => ({
      channel,
      target: { _tag: "User" as const },
      condition,
      urgency,
      dueAt: DateTime.makeUnsafe(at),
      ...more
    })
    const hasProvider = channel === "webhook" ? endpoints.length > 0 : reach.channels.has(channel)
    if (!hasProvider && !isNamed) return []
    const moments = merged(ofChannel.map((step) => momentOf(step, due, nowMillis)))
    const earliest = moments.slice(0, 1)
    const wish = rule.critical || channel === "webhook" ? "wanted" : wishOf(preferences, channel, type, category)
    if (wish !== "wanted") return earliest.map((moment) => make(moment, { skipped: wish }))
    if (!hasProvider) return earliest.map((moment) => make(moment, { skipped: "no_provider" }))
    if (channel === "webhook") return []
    const silence = silenceOf(rule, channel, due, policy)
    const digest = namesAddress(options, channel) ? undefined : digestOf(rule, channel, type, category)
    if (digest !== undefined) {
      const window = Duration.toMillis(digest.window)
      return earliest.map((moment) => {
        const notBefore = silence(moment).at
        return make(silence({ ...moment, at: moment.at + window }), {
          digest: notBefore > nowMillis ? { ...digest, notBefore: DateTime.makeUnsafe(notBefore) } : digest
        })
      })
    }
    const throttle = throttleOf(rule, channel, type, category)
    return merged(moments.map(silence)).map((moment) => make(moment, throttle === undefined ? {} : { throttle }))
  }

  return [
    ...[...steps].flatMap(([channel, ofChannel]) => deliveriesOf(channel, ofChannel)),
    ...endpoints.map(({ id }): NewDelivery => ({
      channel: "webhook",
      target: { _tag: "Endpoint", endpointId: id },
      condition: "always",
      urgency,
      dueAt: now
    }))
  ]
}

/** What is known of a tenant and of the deployment when a draft is accepted. */
export interface TimingSettings extends Reach {
  /** How long a listening user's device has to acknowledge, and how much later its acknowledgement is saved. */
  readonly ackTimeout: Duration.Duration
  readonly slack: Duration.Duration
  /** The tenant has an endpoint that wants notifications of some type. */
  readonly hasEndpoints: boolean
}

/** Milliseconds until the first of these steps can be due, or `undefined` if none can be. */
const firstOf = (
  steps: ReadonlyArray<Step>,
  channels: ReadonlySet<DeliveryChannel>,
  patience: number
): number | undefined => {
  let first: number | undefined
  for (const { afterSeconds = 0, channel, when } of steps) {
    if (channel === "webhook" || !channels.has(channel)) continue
    const wait = when === "always" ? 0 : when === "unseen" ? Math.min(patience, afterSeconds * 1_000) : patience
    if (first === undefined || wait < first) first = wait
  }
  return first
}

/**
 * When the notification that a draft becomes `now` is to be planned, and from when on it counts that nobody has acknowledged it.
 *
 * **Details**
 *
 * `online`: a device of the user listens. Then it has its time to acknowledge, and most notifications are planned after that, when they need
 * nothing any more. What does not wait for that is planned before: at once for endpoints, steps that are for `always` and
 * channels that the sender named, and in time for a short `unseen`. What can never be delivered is not planned at all.
 */
export const timing = (
  draft: Draft,
  online: boolean,
  policy: RoutingPolicy,
  settings: TimingSettings,
  now: DateTime.Utc
): Timing => {
  const patience = online ? Duration.toMillis(settings.ackTimeout) + Duration.toMillis(settings.slack) : 0
  const { options, push = "fallback", type } = draft
  const fallbackAt = patience === 0 ? now : DateTime.makeUnsafe(DateTime.toEpochMillis(now) + patience)
  if (settings.hasEndpoints) return { planAt: now, fallbackAt }
  if (options?.channels !== undefined) {
    return { planAt: options.channels.some((channel) => channel !== "in_app") ? now : null, fallbackAt }
  }
  const rule = resolve(policy, type, categoryOf(policy, type, options))
  const first = firstOf(rule.steps[push], settings.channels, patience)
  if (first === undefined) return { planAt: null, fallbackAt }
  if (first === patience) return { planAt: fallbackAt, fallbackAt }
  return { planAt: first === 0 ? now : DateTime.makeUnsafe(DateTime.toEpochMillis(now) + first), fallbackAt }
}
