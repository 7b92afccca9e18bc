/**
 * Preferences over HTTP, with the entity tag that they have: whoever changes what he has read overwrites nobody.
 */
import { Effect, Schema } from "effect"
import { PreferencesView } from "@beckon/domain/api/PreferencesView"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { Preferences } from "@beckon/domain/Preferences"
import type { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import * as Conditional from "../http/Conditional.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as Wishes from "../inbox/Wishes.ts"

const encode = Schema.encodeSync(Schema.toCodecJson(PreferencesView))

const tagOf = (preferences: Preferences): string => Conditional.contentTag(encode(preferences))

export const read = Effect.fnUntraced(function* (store: PreferenceStore["Service"], key: MailboxKey) {
  const data = yield* Effect.catch(store.get(key), storeToProblem)
  yield* Conditional.tag(tagOf(data))
  return { data }
})

/** With `If-Match` only over the version that it names: 412 otherwise. */
export const write = Effect.fnUntraced(function* (
  store: PreferenceStore["Service"],
  key: MailboxKey,
  preferences: Preferences
) {
  const expectation = yield* Conditional.expected
  // Preferences are always there, so that "any" asks for nothing.
  if (expectation === undefined || expectation === "any") yield* Wishes.save(store, key, preferences)
  else if (!(yield* Wishes.saveIf(store, key, preferences, (current) => expectation.includes(tagOf(current))))) {
    return yield* Conditional.failed()
  }
  yield* Conditional.tag(tagOf(preferences))
  return { data: preferences }
})
