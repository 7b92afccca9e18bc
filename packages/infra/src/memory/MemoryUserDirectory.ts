import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { User, UserChange } from "@beckon/domain/ports/UserDirectory"
import { DateTime, Effect, Layer, Option } from "effect"
import { byBytes } from "./ByteOrder.ts"

interface Entry {
  readonly tenantId: TenantId
  readonly user: User
}

const changed = (user: User, change: UserChange, now: DateTime.Utc): User => ({
  ...user,
  ...change,
  roles: [...(change.roles ?? user.roles)],
  updatedAt: now
})

const make = Effect.sync(() => {
  const entries = new Map<string, Entry>()
  const keyOf = (tenantId: TenantId, userId: UserId) => Keys.toString({ tenantId, userId })
  const known = (tenantId: TenantId, userId: UserId): User | undefined => entries.get(keyOf(tenantId, userId))?.user
  const save = (tenantId: TenantId, user: User): User => {
    entries.set(keyOf(tenantId, user.userId), { tenantId, user })
    return user
  }
  const blank = (userId: UserId, now: DateTime.Utc): User => ({
    userId,
    name: null,
    email: null,
    image: null,
    phone: null,
    language: null,
    timeZone: null,
    roles: [],
    updatedAt: now
  })

  return UserDirectory.of({
    remember: (tenantId, { email, image, name, userId }) =>
      Effect.map(DateTime.now, (now) => {
        const user = known(tenantId, userId)
        const said = {
          ...(name === null ? {} : { name }),
          ...(email === null ? {} : { email }),
          ...(image === null ? {} : { image })
        }
        const isNews =
          user === undefined ||
          (name ?? user.name) !== user.name ||
          (email ?? user.email) !== user.email ||
          (image ?? user.image) !== user.image
        if (isNews) save(tenantId, changed(user ?? blank(userId, now), said, now))
      }),

    lookup: (tenantId, userIds) =>
      Effect.sync(() =>
        userIds.map((userId) => {
          const { email = null, image = null, name = null } = known(tenantId, userId) ?? {}
          return { userId, name, email, image }
        })
      ),

    create: (tenantId, userId, user, now) =>
      Effect.sync(() =>
        known(tenantId, userId) === undefined
          ? Option.some(save(tenantId, changed(blank(userId, now), user, now)))
          : Option.none()
      ),

    update: (tenantId, userId, change, now) =>
      Effect.sync(() =>
        Option.map(Option.fromUndefinedOr(known(tenantId, userId)), (user) =>
          save(tenantId, changed(user, change, now))
        )
      ),

    find: (tenantId, userIds) =>
      Effect.sync(() => [...new Set(userIds)].flatMap((userId) => known(tenantId, userId) ?? [])),

    list: (tenantId, { afterUserId, limit, role }) =>
      Effect.sync(() =>
        [...entries.values()]
          .filter((entry) => entry.tenantId === tenantId)
          .map(({ user }) => user)
          .filter(
            ({ roles, userId }) =>
              (role === undefined || roles.includes(role)) &&
              (afterUserId === undefined || byBytes(userId, afterUserId) > 0)
          )
          .toSorted((left, right) => byBytes(left.userId, right.userId))
          .slice(0, limit)
      ),

    remove: (tenantId, userId) => Effect.sync(() => entries.delete(keyOf(tenantId, userId)))
  })
})

/** Users in memory. */
export const layer: Layer.Layer<UserDirectory> = Layer.effect(UserDirectory, make)
