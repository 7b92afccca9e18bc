/**
 * The preferences of users.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { MailboxKey } from "../MailboxKey.ts"
import type { Preferences } from "../Preferences.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export class PreferenceStore extends Context.Service<
  PreferenceStore,
  {
    /** The user's preferences, or `Preferences.initial` before he set any. */
    readonly get: (key: MailboxKey) => Effect.Effect<Preferences, StoreUnavailable>
    readonly set: (key: MailboxKey, preferences: Preferences) => Effect.Effect<void, StoreUnavailable>
    /** The same, while what is there is what the caller expects; answers whether it was. */
    readonly setIf: (
      key: MailboxKey,
      preferences: Preferences,
      expects: (current: Preferences) => boolean
    ) => Effect.Effect<boolean, StoreUnavailable>
  }
>()("@beckon/domain/ports/PreferenceStore") {}
