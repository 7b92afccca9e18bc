import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { Profile } from "@beckon/domain/ports/UserDirectory"
import { Effect, Layer } from "effect"

const make = Effect.sync(() => {
  const profiles = new Map<string, Profile>()
  const find = (tenantId: TenantId, userId: UserId): Profile =>
    profiles.get(Keys.toString({ tenantId, userId })) ?? { userId, name: null, email: null, image: null }

  return UserDirectory.of({
    remember: (tenantId, { email, image, name, userId }) =>
      Effect.sync(() => {
        profiles.set(Keys.toString({ tenantId, userId }), { userId, name, email, image })
      }),
    lookup: (tenantId, userIds) => Effect.sync(() => userIds.map((userId) => find(tenantId, userId)))
  })
})

/** Profiles in memory. */
export const layer: Layer.Layer<UserDirectory> = Layer.effect(UserDirectory, make)
