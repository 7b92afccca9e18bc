/**
 * Whether a user wants a notification on a channel.
 *
 * **Details**
 *
 * The most specific word wins: his switch for the channel and the type, then a mute of the type, then his switch for the
 * channel and the category, then that for the channel; a channel of which he says nothing is wanted. So one channel may be
 * left on for a type that is otherwise muted.
 */
import type { DeliveryChannel } from "./Delivery.ts"
import type { Preferences } from "./Preferences.ts"

/** The words for what is not wanted are kept as the reason of the delivery. */
export type ChannelWish = "wanted" | "switched_off" | "muted"

/** Types and categories are the sender's words: one called `constructor` must not find that of every object. */
export const ownOf = <A>(record: Readonly<Record<string, A>> | undefined, name: string): A | undefined =>
  record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined

const ofSwitch = (isOn: boolean): ChannelWish => (isOn ? "wanted" : "switched_off")

export const wishOf = (
  preferences: Preferences | undefined,
  channel: DeliveryChannel,
  type: string,
  category: string | undefined
): ChannelWish => {
  if (preferences === undefined) return "wanted"
  const byType = ownOf(preferences.types, type)?.[channel]
  if (byType !== undefined) return ofSwitch(byType)
  if (preferences.mutedTypes.includes(type)) return "muted"
  const byCategory = category === undefined ? undefined : ownOf(preferences.categories, category)?.[channel]
  return ofSwitch(byCategory ?? preferences.channels[channel] ?? true)
}
