/**
 * The token of a browser without FCM: its `PushSubscription` as JSON.
 */
import { Option, Redacted, Schema } from "effect"

const Subscription = Schema.Struct({
  endpoint: Schema.NonEmptyString,
  keys: Schema.Struct({ p256dh: Schema.NonEmptyString, auth: Schema.NonEmptyString })
})
export type WebSubscription = typeof Subscription.Type

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Subscription))

/** `undefined` for a token of another kind. */
export const subscriptionOf = (token: Redacted.Redacted): WebSubscription | undefined =>
  Option.getOrUndefined(decode(Redacted.value(token)))
