/**
 * What a user wishes to get, and where.
 */
import { Schema } from "effect"
import { NotificationType } from "./Notification.ts"

export const Channel = Schema.Literals(["in_app", "push", "email", "sms", "whatsapp", "webhook"])
export type Channel = typeof Channel.Type

export const Preferences = Schema.Struct({
  /** Channels that are switched on or off for everything; a channel that is absent is on. */
  channels: Schema.Record(Channel, Schema.optionalKey(Schema.Boolean)),
  /** Types that the user does not want beyond the inbox; at most 200. */
  mutedTypes: Schema.Array(NotificationType).check(Schema.isMaxLength(200))
})
export type Preferences = typeof Preferences.Type

export const initial: Preferences = { channels: {}, mutedTypes: [] }
