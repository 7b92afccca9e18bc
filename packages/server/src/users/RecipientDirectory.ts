/**
 * The directory of users as the rest of the server sees it: that of a tenant with a user service of its own is the service.
 *
 * **Details**
 *
 * What tokens say of their users is kept in the directory all the same: it stands in for names that the service does not give.
 */
import { DateTime, Duration, Effect, Layer, Option } from "effect"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { Recipients } from "./Recipients.ts"
import { UserServices, UsersAway } from "./UserServices.ts"

/** A name is not worth a longer wait. */
const patienceForNames = Duration.seconds(2)

const away = (operation: string) => (cause: UsersAway) => new StoreUnavailable({ operation, cause })

/** Over the directory that it needs. */
export const layer: Layer.Layer<UserDirectory, never, UserDirectory | Recipients | UserServices> = Layer.effect(
  UserDirectory,
  Effect.gen(function* () {
    const directory = yield* UserDirectory
    const recipients = yield* Recipients
    const services = yield* UserServices

    return {
      ...directory,

      lookup: Effect.fn("RecipientDirectory.lookup")(function* (tenantId, userIds) {
        const own = yield* directory.lookup(tenantId, userIds)
        if (Option.isNone(yield* recipients.externalOf(tenantId))) return own
        const { users } = yield* recipients.resolve(tenantId, userIds, patienceForNames)
        return own.map((profile) => {
          const { email = null, image = null, name = null } = users.get(profile.userId) ?? {}
          return {
            userId: profile.userId,
            name: name ?? profile.name,
            email: email ?? profile.email,
            image: image ?? profile.image
          }
        })
      }),

      find: Effect.fn("RecipientDirectory.find")(function* (tenantId, userIds) {
        const { retryAfter, unresolved, users } = yield* recipients.resolve(tenantId, userIds)
        if (unresolved.size === 0) return [...users.values()]
        const detail = `nothing is known of ${unresolved.size} users`
        return yield* away("UserDirectory.find")(new UsersAway({ retryAfter, detail }))
      }),

      list: Effect.fn("RecipientDirectory.list")(function* (tenantId, options) {
        const source = yield* recipients.externalOf(tenantId)
        if (Option.isNone(source)) return yield* directory.list(tenantId, options)
        const users = yield* Effect.mapError(services.list(tenantId, source.value, options), away("UserDirectory.list"))
        const updatedAt = yield* DateTime.now
        return users.map((user) => ({ ...user, updatedAt }))
      })
    }
  })
)
