/**
 * Preferences as callers send them, more strictly than they are kept: a channel that nobody knows is refused by name, where a
 * record that is read again passes it over.
 */
import { Schema } from "effect"
import { Channel, ChannelSwitches, Preferences } from "./Preferences.ts"
import { NotificationType } from "./NotificationType.ts"
import { identifierOf } from "./Text.ts"

const isChannel = Schema.is(Channel)

const areChannels = Schema.makeFilter<{ readonly [name: string]: boolean }>(
  (switches) => Object.keys(switches).every((name) => isChannel(name)),
  { expected: `only the channels ${Channel.literals.join(", ")}` }
)

/** Switches of known channels. */
export const SwitchesInput = Schema.Record(Schema.String, Schema.Boolean)
  .check(areChannels)
  .pipe(Schema.decodeTo(ChannelSwitches))

/** The fields of `Preferences` that hold switches. */
export const switchesFields = {
  channels: SwitchesInput,
  types: Schema.optionalKey(Schema.Record(NotificationType, SwitchesInput).check(Schema.isMaxProperties(200))),
  categories: Schema.optionalKey(Schema.Record(identifierOf(100), SwitchesInput).check(Schema.isMaxProperties(200)))
} as const

export const PreferencesInput = Schema.Struct({ ...Preferences.fields, ...switchesFields })

/** Why these preferences cannot be kept, with the name of the field; nothing when they can. */
export const faultOf = ({ categories, channels, types }: Preferences): string | undefined => {
  const offIn = (name: string, groups: Readonly<Record<string, typeof ChannelSwitches.Type>>) =>
    Object.entries(groups)
      .find(([, switches]) => switches.in_app === false)?.[0]
      ?.replace(/^/, `${name}.`)
  const where =
    offIn("preferences", { channels }) ?? offIn("types", types ?? {}) ?? offIn("categories", categories ?? {})
  return where === undefined
    ? undefined
    : `${where.replace(/^preferences\./, "")}.in_app: the inbox keeps everything and cannot be switched off`
}
