/**
 * The revocations of the deployment, all of them in the memory of every node, so that a token or a socket is judged without a
 * question to the database.
 *
 * **Details**
 *
 * A node reads them when it starts, and what has changed since: at once when another node tells of a change, and every few
 * seconds anyway. It reads a minute of what it has read before again: nodes save by their own clocks, and what was
 * saved first may be seen last.
 *
 * **Gotchas**
 *
 * Tokens have whole seconds: one that a user gets in the very second in which his tokens are revoked is refused with them.
 */
import { Context, DateTime, Duration, Effect, Layer, Queue, Schedule } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { RevocationStore } from "@beckon/domain/ports/RevocationStore"
import type { RevocationPlace } from "@beckon/domain/ports/RevocationStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import type { TopicBus } from "@beckon/domain/ports/TopicBus"
import type { Revocation } from "@beckon/domain/Revocation"
import * as ChangeNews from "../caches/ChangeNews.ts"

const readEvery = Duration.seconds(5)
const overlap = Duration.minutes(1)
const forgetEvery = Duration.hours(1)
const pageSize = 1_000

interface OfTenant {
  readonly users: Map<string, Revocation>
  readonly tokens: Map<string, Revocation>
}

export class Revocations extends Context.Service<
  Revocations,
  {
    /** As far as this node knows. Never an API key: those have their own end. */
    readonly isRevoked: (identity: Identity) => boolean
    /** Refused by this node when it succeeds, by the others moments later. */
    readonly revoke: (revocation: Revocation) => Effect.Effect<Revocation, StoreUnavailable>
  }
>()("@beckon/server/identity/Revocations") {
  static readonly layer: Layer.Layer<Revocations, StoreUnavailable, RevocationStore | TopicBus> = Layer.effect(
    Revocations,
    Effect.gen(function* () {
      const store = yield* RevocationStore
      const tenants = new Map<TenantId, OfTenant>()
      let place: RevocationPlace = { changedAt: DateTime.makeUnsafe(0), id: "" }

      const mapOf = ({ kind, tenantId }: Revocation): Map<string, Revocation> => {
        const found = tenants.get(tenantId) ?? { users: new Map(), tokens: new Map() }
        tenants.set(tenantId, found)
        return kind === "user" ? found.users : found.tokens
      }

      const keep = (revocation: Revocation) => void mapOf(revocation).set(revocation.subject, revocation)

      const read = Effect.gen(function* () {
        let after: RevocationPlace = { changedAt: DateTime.subtractDuration(place.changedAt, overlap), id: "" }
        while (true) {
          const page = yield* store.changes(after, pageSize)
          for (const { revocation } of page) keep(revocation)
          const last = page.at(-1)
          if (last === undefined) return
          after = last
          if (DateTime.isGreaterThan(last.changedAt, place.changedAt)) place = last
          if (page.length < pageSize) return
        }
      }).pipe(asSystem)

      const wake = yield* Queue.sliding<void>(1)
      const news = yield* ChangeNews.make("revocations", {
        changed: () => void Queue.offerUnsafe(wake, undefined),
        missed: () => void Queue.offerUnsafe(wake, undefined)
      })
      yield* read
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.andThen(
            Effect.raceFirst(Queue.take(wake), Effect.sleep(readEvery)),
            Effect.catch(read, (error) => Effect.logWarning("Revocations are not read", error))
          )
        )
      )

      const forget = Effect.gen(function* () {
        const now = yield* DateTime.now
        for (const { tokens, users } of tenants.values()) {
          for (const map of [users, tokens]) {
            for (const [subject, { expiresAt }] of map) {
              if (DateTime.isLessThanOrEqualTo(expiresAt, now)) map.delete(subject)
            }
          }
        }
        yield* Effect.repeat(store.forget(now, pageSize), { while: (count) => count === pageSize })
      }).pipe(
        asSystem,
        Effect.catch((error) => Effect.logWarning("Revocations are not forgotten", error))
      )
      yield* Effect.forkScoped(Effect.repeat(forget, Schedule.spaced(forgetEvery)))

      return {
        isRevoked: ({ issuedAt, keyId, tenantId, tokenId, userId }) => {
          const found = keyId === undefined ? tenants.get(tenantId) : undefined
          if (found === undefined) return false
          if (tokenId !== undefined && found.tokens.has(tokenId)) return true
          const ofUser = found.users.get(userId)
          return ofUser !== undefined && (issuedAt === undefined || issuedAt <= ofUser.before.epochMilliseconds)
        },
        revoke: Effect.fn("Revocations.revoke")(function* (revocation) {
          const saved = yield* store.save(revocation, uuidV7Unsafe(), yield* DateTime.now)
          keep(saved)
          yield* news.tell(revocation.tenantId, revocation.subject)
          return saved
        })
      }
    })
  )
}
