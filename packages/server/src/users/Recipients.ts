/**
 * How the users of a tenant are reached: from the directory, or from the tenant's own service, as the tenant has set.
 *
 * **Details**
 *
 * What a service answers is used for five minutes (`cache_ms`), that it does not know somebody for half a minute. While it does
 * not answer, what it said last is used for another hour (`stale_ms`). Those of whom nothing usable is known are named: a
 * delivery to one of them waits. Whoever asks for a user that is being asked for waits for that answer.
 *
 * Of external users the directory keeps the time zone, which the planner of deliveries reads (quiet hours).
 *
 * **Gotchas**
 *
 * The first notification of an external user is planned in the time zone of his tenant, unless he was asked for before.
 */
import { Array, Clock, Context, DateTime, Deferred, Effect, Exit, Layer, Option, Result } from "effect"
import type { Duration } from "effect"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { User } from "@beckon/domain/ports/UserDirectory"
import type { ExternalRecipients } from "@beckon/domain/Tenant"
import { maxIds } from "@beckon/infra/users/ExternalUsers"
import type { ExternalUser } from "@beckon/infra/users/ExternalUsers"
import { Tenants } from "../tenants/Tenants.ts"
import { UserServices, UsersAway } from "./UserServices.ts"

export interface Resolved {
  /** The known ones of those who were asked for. */
  readonly users: ReadonlyMap<UserId, User>
  /** Of whom it cannot be said now whether they are known. */
  readonly unresolved: ReadonlySet<UserId>
  /** Milliseconds until it makes sense to ask for those again. */
  readonly retryAfter: number
}

/** Milliseconds. */
const defaultCache = 300_000
const defaultStale = 3_600_000
/** For users that the service does not know: they may be new there, and just about to be. */
const negativeCache = 30_000
const defaultRetryAfter = 1_000

/** Users of all tenants together; past it the one that was asked for longest ago goes first. */
const capacity = 100_000

/** Requests of one question at a time. */
const concurrency = 4

interface Entry {
  readonly user: User | null
  /** Milliseconds since 1970. */
  readonly at: number
}

const isFresh = ({ at, user }: Entry, { cacheMs = defaultCache }: ExternalRecipients, now: number): boolean =>
  now - at < (user === null ? Math.min(cacheMs, negativeCache) : cacheMs)

const isUsable = (entry: Entry, source: ExternalRecipients, now: number): boolean =>
  now - entry.at < (source.cacheMs ?? defaultCache) + (source.staleMs ?? defaultStale)

const nobody: Resolved = { users: new Map(), unresolved: new Set(), retryAfter: 0 }

export class Recipients extends Context.Service<
  Recipients,
  {
    /** With `patience`, those whose answer takes longer are unresolved; their answer is kept for the next question. */
    readonly resolve: (
      tenantId: TenantId,
      userIds: ReadonlyArray<UserId>,
      patience?: Duration.Duration
    ) => Effect.Effect<Resolved, StoreUnavailable>
    /** Where the tenant's users come from, if not from the directory. */
    readonly externalOf: (tenantId: TenantId) => Effect.Effect<Option.Option<ExternalRecipients>, StoreUnavailable>
    /** Asks the service anew for one user, whatever is kept. */
    readonly ask: (
      tenantId: TenantId,
      source: ExternalRecipients,
      userId: UserId
    ) => Effect.Effect<Option.Option<User>, UsersAway>
  }
>()("@beckon/server/users/Recipients") {
  /** Users of the directory only. */
  static readonly layerDirectory: Layer.Layer<Recipients, never, UserDirectory> = Layer.effect(
    Recipients,
    Effect.map(UserDirectory, (directory) => ({
      resolve: (tenantId, userIds) => fromDirectory(directory, tenantId, userIds),
      externalOf: () => Effect.succeedNone,
      ask: () => Effect.succeedNone
    }))
  )

  static readonly layer = Layer.effect(
    Recipients,
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenants = yield* Tenants
      const services = yield* UserServices
      const scope = yield* Effect.scope

      const entries = new Map<string, Entry>()
      const asked = new Map<string, Deferred.Deferred<Entry, UsersAway>>()

      // Another URL is another service: what the former said does not count.
      const keyOf = (tenantId: TenantId, { url }: ExternalRecipients, userId: UserId) =>
        `${tenantId}\u0000${url}\u0000${userId}`

      const keep = (key: string, entry: Entry) => {
        entries.delete(key)
        entries.set(key, entry)
        for (const oldest of entries.keys()) {
          if (entries.size <= capacity) break
          entries.delete(oldest)
        }
        return entry
      }

      const rememberZones = Effect.fnUntraced(function* (tenantId: TenantId, users: ReadonlyArray<ExternalUser>) {
        const zoned = users.filter(({ timeZone }) => timeZone !== null)
        if (zoned.length === 0) return
        const found = yield* directory.find(
          tenantId,
          zoned.map(({ userId }) => userId)
        )
        const known = new Map(found.map(({ timeZone, userId }) => [userId, timeZone]))
        const now = yield* DateTime.now
        for (const { timeZone, userId } of zoned) {
          if (known.get(userId) === timeZone) continue
          const updated = yield* directory.update(tenantId, userId, { timeZone }, now)
          if (Option.isNone(updated)) yield* directory.create(tenantId, userId, { timeZone }, now)
        }
      }, asSystem)

      const fetch = Effect.fnUntraced(function* (
        tenantId: TenantId,
        source: ExternalRecipients,
        userIds: ReadonlyArray<UserId>
      ) {
        const exit = yield* Effect.exit(services.find(tenantId, source, userIds))
        const at = yield* Clock.currentTimeMillis
        const updatedAt = DateTime.makeUnsafe(at)
        const users = new Map(Exit.isSuccess(exit) ? exit.value.map((user) => [user.userId, user]) : [])
        for (const userId of userIds) {
          const key = keyOf(tenantId, source, userId)
          const waiting = asked.get(key)
          asked.delete(key)
          const user = users.get(userId)
          const answer = Exit.map(exit, () =>
            keep(key, { user: user === undefined ? null : { ...user, updatedAt }, at })
          )
          if (waiting !== undefined) yield* Deferred.done(waiting, answer)
        }
        yield* Effect.catch(rememberZones(tenantId, [...users.values()]), (error) =>
          Effect.logWarning("Time zones of external users were not kept", error)
        )
      })

      /** The answers for these users, which somebody asks for already or which are asked for now. */
      const answersFor = Effect.fnUntraced(function* (
        tenantId: TenantId,
        source: ExternalRecipients,
        userIds: ReadonlyArray<UserId>
      ) {
        const missing: Array<UserId> = []
        const answers = userIds.map((userId) => {
          const key = keyOf(tenantId, source, userId)
          const waiting = asked.get(key) ?? Deferred.makeUnsafe<Entry, UsersAway>()
          if (!asked.has(key)) {
            asked.set(key, waiting)
            missing.push(userId)
          }
          return waiting
        })
        // Whoever asked and left does not take the answer from the others.
        yield* Effect.forkIn(
          Effect.forEach(Array.chunksOf(missing, maxIds), (chunk) => fetch(tenantId, source, chunk), {
            concurrency,
            discard: true
          }),
          scope
        )
        return answers
      })

      const fromService = Effect.fnUntraced(function* (
        tenantId: TenantId,
        source: ExternalRecipients,
        userIds: ReadonlyArray<UserId>,
        patience: Duration.Duration | undefined
      ): Effect.fn.Return<Resolved> {
        const now = yield* Clock.currentTimeMillis
        const users = new Map<UserId, User>()
        const wanted: Array<UserId> = []
        const use = ({ user }: Entry) => (user === null ? undefined : users.set(user.userId, user))
        for (const userId of userIds) {
          const entry = entries.get(keyOf(tenantId, source, userId))
          if (entry !== undefined && isFresh(entry, source, now)) use(entry)
          else wanted.push(userId)
        }
        if (wanted.length === 0) return { ...nobody, users }
        const answers = yield* answersFor(tenantId, source, wanted)
        const late = new UsersAway({ retryAfter: defaultRetryAfter, detail: "it has not answered yet" })
        const awaited = yield* Effect.forEach(
          answers,
          (answer) => {
            const waiting = Deferred.await(answer)
            return Effect.result(
              patience === undefined
                ? waiting
                : Effect.timeoutOrElse(waiting, { duration: patience, orElse: () => Effect.fail(late) })
            )
          },
          { concurrency: "unbounded" }
        )
        const unresolved = new Set<UserId>()
        let retryAfter = 0
        for (const [index, userId] of wanted.entries()) {
          const answer = awaited[index] ?? Result.fail(late)
          const last = entries.get(keyOf(tenantId, source, userId))
          if (Result.isSuccess(answer)) use(answer.success)
          else if (last !== undefined && isUsable(last, source, now)) use(last)
          else {
            unresolved.add(userId)
            retryAfter = Math.max(retryAfter, answer.failure.retryAfter)
          }
        }
        return { users, unresolved, retryAfter }
      })

      const externalOf = (tenantId: TenantId) =>
        Effect.map(tenants.get(tenantId), ({ settings: { recipients } }) =>
          recipients?.source === "external" ? Option.some(recipients) : Option.none()
        )

      return {
        externalOf,
        resolve: Effect.fn("Recipients.resolve")(function* (tenantId, userIds, patience) {
          if (userIds.length === 0) return nobody
          const source = yield* externalOf(tenantId)
          return yield* Option.isNone(source)
            ? fromDirectory(directory, tenantId, userIds)
            : fromService(tenantId, source.value, [...new Set(userIds)], patience)
        }),
        ask: Effect.fn("Recipients.ask")(function* (tenantId, source, userId) {
          const [user] = yield* services.find(tenantId, source, [userId])
          const now = yield* DateTime.now
          return user === undefined ? Option.none() : Option.some({ ...user, updatedAt: now })
        })
      }
    })
  )
}

const fromDirectory = (
  directory: UserDirectory["Service"],
  tenantId: TenantId,
  userIds: ReadonlyArray<UserId>
): Effect.Effect<Resolved, StoreUnavailable> =>
  Effect.map(directory.find(tenantId, userIds), (found) => ({
    ...nobody,
    users: new Map(found.map((user) => [user.userId, user]))
  }))
