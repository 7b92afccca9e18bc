/**
 * `/api/v1/presence` and `/api/v1/users/me/location`.
 */
import { Effect, Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import type { UserId } from "@beckon/domain/Identifiers"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { allowsByRole } from "@beckon/domain/Policy"
import { Forbidden, Unavailable } from "@beckon/domain/Problem"
import { Presence } from "@beckon/domain/ports/Presence"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Locations } from "../topics/Locations.ts"
import * as PresenceView from "../topics/PresenceView.ts"
import { TopicAccess } from "../topics/TopicAccess.ts"

const noAnswer = () => new Unavailable({ detail: "Presence does not answer; try again." })

const layerPresence = HttpApiBuilder.group(
  BeckonApi,
  "presence",
  Effect.fn(function* (handlers) {
    const presence = yield* Presence
    const access = yield* TopicAccess

    /** Presence has other rules than the rest of the API: a friend's is not one's own, and not everybody's. */
    const allowed = Effect.fnUntraced(function* (field: string, users: ReadonlyArray<UserId>) {
      const identity = yield* CurrentIdentity
      if (allowsByRole(identity, "presence:read")) return identity.tenantId
      const others = users.filter((userId) => userId !== identity.userId)
      const friends = yield* Effect.catch(
        access.friendsAmong(identity.tenantId, identity.userId, others),
        storeToProblem
      )
      if (others.every((userId) => friends.has(userId))) return identity.tenantId
      return yield* new Forbidden({ detail: `${field}: presence is for the user's friends` })
    })

    return handlers.handleAll({
      get: ({ params: { userId } }) =>
        Effect.gen(function* () {
          const tenantId = yield* allowed("user_id", [userId])
          const data = yield* Effect.mapError(PresenceView.now(presence, { tenantId, userId }), noAnswer)
          return { data }
        }),
      query: ({ payload: { userIds } }) =>
        Effect.gen(function* () {
          const tenantId = yield* allowed("user_ids", userIds)
          const keys = userIds.map((userId) => ({ tenantId, userId }))
          const online = yield* Effect.mapError(presence.isOnline(keys), noAnswer)
          return { data: userIds.map((userId, index) => ({ userId, online: online[index] === true })) }
        })
    })
  })
)

const layerLocation = HttpApiBuilder.group(
  BeckonApi,
  "location",
  Effect.fn(function* (handlers) {
    const locations = yield* Locations
    return handlers.handleAll({
      tell: ({ payload }) => Effect.flatMap(CurrentIdentity, (identity) => locations.tell(identity, payload))
    })
  })
)

export const layer = Layer.merge(layerPresence, layerLocation)
