/**
 * Who may watch what: the rules of `@beckon/domain/Topic`, and the answers of the stores that they ask for.
 */
import { Context, DateTime, Effect, Layer, Option } from "effect"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import type { Following } from "@beckon/domain/ports/TrackingGrants"
import * as Topic from "@beckon/domain/Topic"

export interface Question {
  readonly identity: Identity
  readonly meaning: Topic.Meaning
}

/** Questions to the grants in one statement. */
const batch = 500

const noOrder = "topic: no active order of yours is with this driver"
const noFriend = "topic: presence is for the user's friends"

export class TopicAccess extends Context.Service<
  TopicAccess,
  {
    /** Why each may not watch, or nothing; in the order of the questions. */
    readonly whyNot: (
      questions: ReadonlyArray<Question>
    ) => Effect.Effect<ReadonlyArray<string | undefined>, StoreUnavailable>
    /** Those of the users who are friends of the caller. */
    readonly friendsAmong: (
      tenantId: TenantId,
      userId: UserId,
      others: ReadonlyArray<UserId>
    ) => Effect.Effect<ReadonlySet<UserId>, StoreUnavailable>
  }
>()("@beckon/server/topics/TopicAccess") {
  static readonly layer = Layer.effect(
    TopicAccess,
    Effect.gen(function* () {
      const grants = yield* TrackingGrants
      const friendships = yield* FriendshipStore

      const areFriends = (tenantId: TenantId, one: UserId, other: UserId) =>
        Effect.map(
          friendships.between(tenantId, one, other),
          Option.exists(({ status }) => status === "ACCEPTED")
        )

      const whyNot = Effect.fn("TopicAccess.whyNot")(function* (questions: ReadonlyArray<Question>) {
        const answers: Array<string | undefined> = []
        const byTenant = new Map<TenantId, Array<Following & { readonly at: number }>>()
        for (const [at, { identity, meaning }] of questions.entries()) {
          const { tenantId, userId } = identity
          const decision = Topic.mayWatch(identity, meaning)
          answers[at] = decision._tag === "Refused" ? decision.reason : undefined
          if (decision._tag === "AsFriendOf") {
            answers[at] = (yield* areFriends(tenantId, userId, decision.userId)) ? undefined : noFriend
          }
          if (decision._tag !== "AsCustomerOf") continue
          const asked = byTenant.get(tenantId) ?? []
          asked.push({ customerId: userId, driverId: decision.driverId, at })
          byTenant.set(tenantId, asked)
        }
        const now = yield* DateTime.now
        for (const [tenantId, asked] of byTenant) {
          for (let from = 0; from < asked.length; from += batch) {
            const some = asked.slice(from, from + batch)
            const granted = yield* grants.areGranted(tenantId, some, now)
            for (const [index, { at }] of some.entries()) answers[at] = granted[index] === true ? undefined : noOrder
          }
        }
        return answers
      })

      return {
        whyNot,
        friendsAmong: Effect.fn("TopicAccess.friendsAmong")(function* (tenantId, userId, others) {
          const known = yield* Effect.filter(others, (other) => areFriends(tenantId, userId, other), {
            concurrency: 8
          })
          return new Set(known)
        })
      }
    })
  )
}
