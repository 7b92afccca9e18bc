/**
 * Learns what people are called from the profile claims of their tokens.
 */
import { Effect } from "effect"
import type { Identity } from "@beckon/domain/Identity"
import type { UserDirectory } from "@beckon/domain/ports/UserDirectory"

/** Profiles that are known to be saved; beyond it they are saved again. */
const maxKnown = 10_000

/** Saves the profile of an identity that has one, once. */
export const make = (directory: UserDirectory["Service"]) => {
  const known = new Set<string>()
  return (identity: Identity): Effect.Effect<void> => {
    const { email = null, name = null, picture: image = null, tenantId, userId } = identity
    if (name === null && email === null && image === null) return Effect.void
    const profile = { userId, name, email, image }
    const key = JSON.stringify([tenantId, profile])
    if (known.has(key)) return Effect.void
    if (known.size >= maxKnown) known.clear()
    known.add(key)
    return Effect.catch(directory.remember(tenantId, profile), (error) =>
      Effect.logWarning("A profile was not saved", error)
    )
  }
}
