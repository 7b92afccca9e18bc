import type { Friendship } from "@beckon/domain/Friendship"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import type { OutboxEntry } from "@beckon/domain/ports/EventOutbox"
import { FriendshipChanged, FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { Context, Effect, Layer, Option, Semaphore } from "effect"

const isOpen = ({ status }: Friendship): boolean => status === "PENDING" || status === "ACCEPTED"

const isBetween = (friendship: Friendship, tenantId: TenantId, one: UserId, other: UserId): boolean =>
  friendship.tenantId === tenantId &&
  ((friendship.requesterId === one && friendship.recipientId === other) ||
    (friendship.requesterId === other && friendship.recipientId === one))

const make = Effect.sync(() => {
  /** In the order in which they were inserted. */
  const friendships: Array<Friendship> = []
  let entries: ReadonlyArray<OutboxEntry> = []
  let lastEntry = 0

  const indexOf = (tenantId: TenantId, id: string): number =>
    friendships.findIndex((friendship) => friendship.tenantId === tenantId && friendship.id === id)

  const publish = (events: ReadonlyArray<EventRecord>): void => {
    const added = events.map(({ headers, key, topic, value }) => ({
      id: String(++lastEntry),
      topic,
      key,
      headers: { ...headers },
      value
    }))
    entries = [...entries, ...added]
  }

  const store = FriendshipStore.of({
    get: (tenantId, id) => Effect.sync(() => Option.fromUndefinedOr(friendships[indexOf(tenantId, id)])),

    between: (tenantId, one, other) =>
      Effect.sync(() =>
        Option.fromUndefinedOr(friendships.findLast((friendship) => isBetween(friendship, tenantId, one, other)))
      ),

    list: (tenantId, filter) =>
      Effect.sync(() => {
        const { before = Number.POSITIVE_INFINITY } = filter
        return friendships
          .map((friendship, index) => ({ ...friendship, ordinal: index + 1 }))
          .filter(
            ({ ordinal, recipientId, requesterId, status, tenantId: tenant }) =>
              ordinal < before &&
              tenant === tenantId &&
              (requesterId === filter.userId || recipientId === filter.userId) &&
              (filter.status === undefined || filter.status === status)
          )
          .toReversed()
          .slice(0, filter.limit)
      }),

    insert: (friendship, events) =>
      Effect.suspend((): Effect.Effect<void, FriendshipChanged | StoreUnavailable> => {
        const { id, recipientId, requesterId, tenantId } = friendship
        if (indexOf(tenantId, id) >= 0) {
          const cause = new Error(`The id ${id} is taken`)
          return Effect.fail(new StoreUnavailable({ operation: "FriendshipStore.insert", cause }))
        }
        const rival = friendships.some((other) => isOpen(other) && isBetween(other, tenantId, requesterId, recipientId))
        if (isOpen(friendship) && rival) return Effect.fail(new FriendshipChanged())
        friendships.push({ ...friendship })
        publish(events)
        return Effect.void
      }),

    update: ({ id, respondedAt, status, tenantId }, events) =>
      Effect.suspend(() => {
        const index = indexOf(tenantId, id)
        const old = friendships[index]
        if (old === undefined || old.status !== "PENDING") return Effect.fail(new FriendshipChanged())
        friendships[index] = { ...old, status, respondedAt }
        publish(events)
        return Effect.void
      })
  })

  const turn = Semaphore.makeUnsafe(1)
  const outbox = EventOutbox.of({
    peek: (limit) => Effect.sync(() => entries.slice(0, limit)),
    exclusively: turn.withPermitsIfAvailable(1),
    remove: (ids) =>
      Effect.sync(() => {
        const leaving = new Set(ids)
        entries = entries.filter((entry) => !leaving.has(entry.id))
      })
  })

  return Context.make(FriendshipStore, store).pipe(Context.add(EventOutbox, outbox))
})

/** Friendships and the outbox of their events in memory: one state, as the two tables of one database are. */
export const layer: Layer.Layer<FriendshipStore | EventOutbox> = Layer.effectContext(make)
