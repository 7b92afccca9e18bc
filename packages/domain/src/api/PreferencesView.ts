/**
 * Preferences as REST carries them: snake_case.
 */
import { Effect, Schema } from "effect"
import { Preferences } from "../Preferences.ts"
import { switchesFields } from "../PreferencesInput.ts"

const { mutedTypes, quietHours, ...others } = Preferences.fields

export const PreferencesView = Schema.Struct({
  ...others,
  ...switchesFields,
  mutedTypes: mutedTypes.pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  quietHours
}).pipe(Schema.encodeKeys({ mutedTypes: "muted_types", quietHours: "quiet_hours", timeZone: "time_zone" }))
