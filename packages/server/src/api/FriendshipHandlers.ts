/**
 * `/api/friendships/*` (R0).
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import type { Friendship } from "@beckon/domain/Friendship"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { Friendships } from "../friendship/Friendships.ts"
import * as Cursor from "../inbox/Cursor.ts"

const toView = ({ createdAt, id, recipientId, requesterId, respondedAt, status }: Friendship) => ({
  friendshipId: id,
  requesterId,
  recipientId,
  status,
  createdAt,
  respondedAt
})

const defaultLimit = 20

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "friendships",
  Effect.fn(function* (handlers) {
    const friendships = yield* Friendships
    return handlers.handleAll({
      sendRequest: ({ payload }) =>
        Effect.flatMap(CurrentIdentity, (identity) =>
          Effect.map(friendships.send(identity, payload.requesterId, payload.recipientId), toView)
        ),
      respond: ({ payload }) =>
        Effect.flatMap(CurrentIdentity, (identity) =>
          Effect.map(friendships.respond(identity, payload.friendshipId, payload.responderId, payload.accept), toView)
        ),
      cancel: ({ payload }) =>
        Effect.flatMap(CurrentIdentity, (identity) =>
          Effect.map(friendships.cancel(identity, payload.friendshipId, payload.requesterId), toView)
        ),
      list: ({ query }) =>
        Effect.gen(function* () {
          const limit = query.limit ?? defaultLimit
          const before = query.cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toSeq(query.cursor))
          const rows = yield* friendships.list(yield* CurrentIdentity, {
            limit: limit + 1,
            ...(query.status === undefined ? {} : { status: query.status }),
            ...(before === undefined ? {} : { before })
          })
          const { data, meta } = Cursor.pageOf(rows, limit, ({ ordinal }) => Cursor.ofSeq(ordinal))
          return { data: data.map(toView), meta }
        })
    })
  })
)
