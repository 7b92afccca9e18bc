/**
 * Calls of the user services of tenants: with their service account, tried again, and not at all while a service is down.
 *
 * **Details**
 *
 * A call is up to three requests, with growing waits of random length between them; a service that says how long to wait is
 * not asked before. Calls that fail one after the other open the circuit of the tenant's service, on all nodes, so that a dead
 * service costs nobody a time limit again and again.
 */
import { Context, Duration, Effect, Hash, Layer, Option, Schedule, Schema } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import type { ExternalRecipients } from "@beckon/domain/Tenant"
import { ExternalUsers } from "@beckon/infra/users/ExternalUsers"
import type { ExternalUser, UserPage, UserService, UserServiceFailed } from "@beckon/infra/users/ExternalUsers"
import * as FreshCache from "../caches/FreshCache.ts"
import * as BoundCredential from "./BoundCredential.ts"

/** A tenant's users cannot be had now. */
export class UsersAway extends Schema.TaggedError<UsersAway>()("UsersAway", {
  /** Milliseconds until it makes sense to ask again. */
  retryAfter: Schema.Finite,
  detail: Schema.String
}) {
  override get message() {
    return `The tenant's user service gives no users: ${this.detail}`
  }
}

const defaultTimeout = Duration.seconds(5)

/** Failed calls in a row that open a circuit, and for how long. */
const breakerFailures = 5
const breakerOpen = Duration.seconds(30)

/** Where nobody says more. */
const retryAfter = Duration.toMillis(Duration.seconds(5))

/** Milliseconds: a service that wants more is left to the next try of whoever asks. */
const longestWait = 2_000

const again = Schedule.exponential("100 millis", 3).pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 2 }),
  Schedule.setInputType<UserServiceFailed>(),
  Schedule.modifyDelay(({ duration, input: { retryAfter: wait = 0 } }) =>
    Effect.succeed(Duration.max(duration, Duration.millis(wait)))
  )
)

/** What may be otherwise in a moment. */
const isTransient = ({ code, retryAfter: wait = 0, status = 0 }: UserServiceFailed): boolean =>
  wait <= longestWait &&
  (code === "connection" || code === "timeout" || (code === "status" && (status >= 500 || status === 429)))

type Call = (service: UserService) => Effect.Effect<ReadonlyArray<ExternalUser>, UserServiceFailed>

export class UserServices extends Context.Service<
  UserServices,
  {
    /** The known ones of at most 100 users. */
    readonly find: (
      tenantId: TenantId,
      source: ExternalRecipients,
      userIds: ReadonlyArray<UserId>
    ) => Effect.Effect<ReadonlyArray<ExternalUser>, UsersAway>
    readonly list: (
      tenantId: TenantId,
      source: ExternalRecipients,
      page: UserPage
    ) => Effect.Effect<ReadonlyArray<ExternalUser>, UsersAway>
    /** To be called after the credential was changed. */
    readonly credentialChanged: (tenantId: TenantId) => Effect.Effect<void>
  }
>()("@beckon/server/users/UserServices") {
  /** Needs a store of circuits: in memory, or Redis for all nodes. */
  static readonly layer = Layer.effect(
    UserServices,
    Effect.gen(function* () {
      const external = yield* ExternalUsers
      const secrets = yield* TenantSecretStore
      const breaker = yield* CircuitBreaker.make({
        tripPolicy: CircuitBreaker.consecutive(breakerFailures),
        openDuration: breakerOpen,
        // A Redis that is gone must not stop deliveries.
        onStoreError: "allow"
      })
      const credentials = yield* FreshCache.make({
        topic: "user-services",
        lookup: (tenantId: TenantId) => asSystem(secrets.get(tenantId, "user_service")),
        keptFor: "1 minute",
        capacity: 10_000
      })
      /** Tenants whose service failed last: an outage is one line of the log. */
      const failing = new Set<TenantId>()

      const failed = (tenantId: TenantId, { detail, message, retryAfter: wait = retryAfter }: UserServiceFailed) =>
        Effect.gen(function* () {
          if (!failing.has(tenantId)) {
            failing.add(tenantId)
            yield* Effect.annotateLogs(Effect.logWarning(message), { tenant: tenantId })
          }
          return yield* new UsersAway({ retryAfter: wait, detail })
        })

      const recovered = (tenantId: TenantId) =>
        failing.delete(tenantId)
          ? Effect.annotateLogs(Effect.logInfo("The user service answers again"), { tenant: tenantId })
          : Effect.void

      const guarded = Effect.fnUntraced(function* (tenantId: TenantId, source: ExternalRecipients, call: Call) {
        const credential = yield* Effect.mapError(
          credentials.get(tenantId, ""),
          (error) => new UsersAway({ retryAfter, detail: error.message })
        )
        const service: UserService = {
          url: source.url,
          timeout: source.timeoutMs === undefined ? defaultTimeout : Duration.millis(source.timeoutMs),
          authorization: Option.flatMap(credential, (kept) => BoundCredential.authorizationFor(kept, source.url))
        }
        const asked = Effect.retry(call(service), {
          schedule: again,
          while: isTransient
        })
        // A tenant that names another service begins with a circuit that is closed.
        const key = `users:${tenantId}:${Hash.string(source.url)}`
        const users = yield* asked.pipe(
          breaker.execute({ key }),
          Effect.catchTags({
            CircuitBreakerError: ({ reason }) =>
              Effect.fail(
                new UsersAway({
                  retryAfter: reason._tag === "CircuitOpen" ? Duration.toMillis(reason.retryAfter) : 1_000,
                  detail: "it has failed several times and is left alone for a while"
                })
              ),
            UserServiceFailed: (error) => failed(tenantId, error)
          })
        )
        yield* recovered(tenantId)
        return users
      })

      return {
        find: Effect.fn("UserServices.find")((tenantId, source, userIds) =>
          guarded(tenantId, source, (service) => external.find(service, userIds))
        ),
        list: Effect.fn("UserServices.list")((tenantId, source, page) =>
          guarded(tenantId, source, (service) => external.list(service, page))
        ),
        credentialChanged: (tenantId) => credentials.changed(tenantId, "")
      }
    })
  )
}
