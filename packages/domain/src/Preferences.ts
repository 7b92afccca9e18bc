/**
 * What a user wishes to get, and where.
 *
 * **Details**
 *
 * The most specific word wins: the switch for channel and type, then a mute of the type, then the switch for channel and category,
 * then that for the channel. The inbox itself is the record of what happened: `in_app` cannot be switched off, and says nothing
 * here. Webhooks belong to the tenant: `webhook` says nothing either.
 */
import { Schema } from "effect"
import { NotificationType } from "./NotificationType.ts"
import * as Salvage from "./Salvage.ts"
import { identifierOf } from "./Text.ts"
import { TimeZoneName } from "./TimeZoneName.ts"

export const Channel = Schema.Literals(["in_app", "push", "email", "sms", "whatsapp", "webhook"])
export type Channel = typeof Channel.Type

/** Channels that are switched on or off; one that is absent is decided elsewhere. */
export const ChannelSwitches = Schema.Record(Channel, Schema.optionalKey(Schema.Boolean))

/** `HH:MM`, 00:00 to 23:59. */
export const TimeOfDay = Schema.String.check(
  Schema.isPattern(/^(?:[01]\d|2[0-3]):[0-5]\d$/, { expected: "a time of day such as 22:00" })
)

export const QuietHours = Schema.Struct({
  /** Wall-clock times in the user's time zone; an end before the start is on the next day. The two must differ. */
  start: TimeOfDay,
  end: TimeOfDay,
  /** What stays silent; `push`, `sms` and `whatsapp` when absent. */
  channels: Schema.optionalKey(Schema.Array(Channel).check(Schema.isMaxLength(6))),
  /** Days on which they begin, 1 (Monday) to 7 (Sunday); every day when absent. */
  days: Schema.optionalKey(
    Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))).check(Schema.isMaxLength(7))
  )
}).check(
  Schema.makeFilter(({ end, start }) => start !== end, {
    expected: "quiet hours that end at another time than they start"
  })
)
export type QuietHours = typeof QuietHours.Type

export const Preferences = Schema.Struct({
  /** Channels that are switched on or off for everything; a channel that is absent is on. */
  channels: ChannelSwitches,
  /** Types that the user does not want beyond the inbox; at most 200. */
  mutedTypes: Schema.Array(NotificationType).check(Schema.isMaxLength(200)),
  /** The same by the type of the notification; at most 200. */
  types: Schema.optionalKey(Schema.Record(NotificationType, ChannelSwitches).check(Schema.isMaxProperties(200))),
  /** The same by category; at most 200. */
  categories: Schema.optionalKey(Schema.Record(identifierOf(100), ChannelSwitches).check(Schema.isMaxProperties(200))),
  quietHours: Schema.optionalKey(QuietHours),
  /** A name of the IANA database. */
  timeZone: Schema.optionalKey(TimeZoneName),
  /** A BCP 47 tag. */
  language: Schema.optionalKey(identifierOf(35))
})
export type Preferences = typeof Preferences.Type

export const initial: Preferences = { channels: {}, mutedTypes: [] }

const decode = Schema.decodeUnknownResult(Preferences)

/** Saved preferences, field by field where they do not decode as a whole: a wish that is not understood costs no other. */
export const fromStored = (stored: unknown): Salvage.Salvaged<Preferences> =>
  Salvage.salvage(decode, stored, { channels: {}, mutedTypes: [] }, initial)
