import * as Keys from "@beckon/domain/MailboxKey"
import { initial } from "@beckon/domain/Preferences"
import type { Preferences } from "@beckon/domain/Preferences"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { Effect, Layer } from "effect"

const make = Effect.sync(() => {
  const saved = new Map<string, Preferences>()

  return PreferenceStore.of({
    get: (key) => Effect.sync(() => saved.get(Keys.toString(key)) ?? initial),
    set: (key, preferences) =>
      Effect.sync(() => {
        saved.set(Keys.toString(key), structuredClone(preferences))
      }),
    setIf: (key, preferences, expects) =>
      Effect.sync(() => {
        const name = Keys.toString(key)
        if (!expects(saved.get(name) ?? initial)) return false
        saved.set(name, structuredClone(preferences))
        return true
      })
  })
})

/** Preferences in memory. */
export const layer: Layer.Layer<PreferenceStore> = Layer.effect(PreferenceStore, make)
