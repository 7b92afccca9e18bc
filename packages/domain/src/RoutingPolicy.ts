/**
 * How a tenant wants its notifications to reach users beyond the socket: by type, by category, and for all others.
 *
 * **Details**
 *
 * For each field the most specific rule that has it wins: the type's, then its category's, then `defaults`, then Beckon's own
 * (`builtIn`). Users turn channels on and off by type, by category and for everything (`Preferences`), and their most specific
 * word wins over the tenant's; but not for critical types, and never towards a channel that the tenant does not use. `DeliveryPlan`
 * says how all this becomes deliveries.
 */
import { Schema } from "effect"
import { Condition, DeliveryChannel } from "./Delivery.ts"
import { NotificationType } from "./NotificationType.ts"
import * as Salvage from "./Salvage.ts"
import { identifierOf } from "./Text.ts"
import { TimeZoneName } from "./TimeZoneName.ts"

/** Seconds, up to 30 days. */
const Seconds = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_592_000 }))

/** "Email, if not seen in 10 minutes": `{ channel: "email", when: "unseen", after_seconds: 600 }`. */
export const Step = Schema.Struct({
  channel: DeliveryChannel,
  when: Condition,
  /** Counted from the acceptance of the notification; for `unacknowledged`, from the end of the time to acknowledge it. */
  afterSeconds: Schema.optionalKey(Seconds)
}).pipe(Schema.encodeKeys({ afterSeconds: "after_seconds" }))
export type Step = typeof Step.Type

export const DigestRule = Schema.Struct({
  /** Which channels gather; all others get every notification by itself. */
  channels: Schema.Array(DeliveryChannel).check(Schema.isMinLength(1), Schema.isMaxLength(5)),
  windowSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 604_800 })),
  /** What belongs together: all of the user's, those of a category, or those of a type. */
  per: Schema.Literals(["user", "category", "type"]),
  maxItems: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 }))
}).pipe(Schema.encodeKeys({ windowSeconds: "window_seconds", maxItems: "max_items" }))
export type DigestRule = typeof DigestRule.Type

export const ThrottleRule = Schema.Struct({
  channels: Schema.Array(DeliveryChannel).check(Schema.isMinLength(1), Schema.isMaxLength(5)),
  limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })),
  windowSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 604_800 })),
  per: Schema.Literals(["user", "category", "type"])
}).pipe(Schema.encodeKeys({ windowSeconds: "window_seconds" }))
export type ThrottleRule = typeof ThrottleRule.Type

export const Rule = Schema.Struct({
  /** Ignores what users have muted or switched off, quiet hours, digests and throttles. */
  critical: Schema.optionalKey(Schema.Boolean),
  /** At most 10, in any order. */
  steps: Schema.optionalKey(Schema.Array(Step).check(Schema.isMaxLength(10))),
  digest: Schema.optionalKey(Schema.NullOr(DigestRule)),
  throttle: Schema.optionalKey(Schema.NullOr(ThrottleRule))
})
export type Rule = typeof Rule.Type

export const TypeRule = Schema.Struct({ ...Rule.fields, category: Schema.optionalKey(identifierOf(100)) })
export type TypeRule = typeof TypeRule.Type

export const RoutingPolicy = Schema.Struct({
  defaults: Schema.optionalKey(Rule),
  /** By the name of the category; at most 200. */
  categories: Schema.optionalKey(Schema.Record(identifierOf(100), Rule).check(Schema.isMaxProperties(200))),
  /** By the type of the notification; at most 1,000. */
  types: Schema.optionalKey(Schema.Record(NotificationType, TypeRule).check(Schema.isMaxProperties(1_000))),
  /** For users who have none of their own; UTC when absent. */
  timeZone: Schema.optionalKey(TimeZoneName),
  /** For users who have none of their own: a BCP 47 tag. */
  language: Schema.optionalKey(identifierOf(35))
}).pipe(Schema.encodeKeys({ timeZone: "time_zone" }))
export type RoutingPolicy = typeof RoutingPolicy.Type

export const empty: RoutingPolicy = {}

const decode = Schema.decodeUnknownResult(RoutingPolicy)

/** A saved policy, rule by rule where it does not decode as a whole: one rule that is not understood stops no tenant. */
export const fromStored = (stored: unknown): Salvage.Salvaged<RoutingPolicy> =>
  Salvage.salvage(decode, stored, {}, empty)

/** Push to those who are not there or do not acknowledge: what a tenant gets that has set nothing. */
export const builtIn: Rule = { steps: [{ channel: "push", when: "unacknowledged" }] }
