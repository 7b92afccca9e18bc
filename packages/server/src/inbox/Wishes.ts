/**
 * Keeps what users wish, for every way of saying it: what cannot be kept is refused with its name.
 */
import { Effect } from "effect"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { Preferences } from "@beckon/domain/Preferences"
import { faultOf } from "@beckon/domain/PreferencesInput"
import { Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import type { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { storeToProblem } from "./Inbox.ts"

/** Refuses what cannot be kept; saves only over what is expected, and answers whether that was there. */
export const saveIf = Effect.fnUntraced(function* (
  store: PreferenceStore["Service"],
  key: MailboxKey,
  preferences: Preferences,
  expects: (current: Preferences) => boolean
): Effect.fn.Return<boolean, Unprocessable | Unavailable> {
  const fault = faultOf(preferences)
  if (fault !== undefined) return yield* new Unprocessable({ detail: fault })
  return yield* Effect.catch(store.setIf(key, preferences, expects), storeToProblem)
})

export const save = Effect.fnUntraced(function* (
  store: PreferenceStore["Service"],
  key: MailboxKey,
  preferences: Preferences
): Effect.fn.Return<void, Unprocessable | Unavailable> {
  const fault = faultOf(preferences)
  if (fault !== undefined) return yield* new Unprocessable({ detail: fault })
  yield* Effect.catch(store.set(key, preferences), storeToProblem)
})
