/**
 * The service account of the caller's tenant at its user service: set, forgotten, tried out; never shown.
 */
import { Context, DateTime, Effect, Layer, Option, Redacted } from "effect"
import { Base64 } from "effect/encoding"
import type { NewCredential } from "@beckon/domain/api/TenantApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { UserId } from "@beckon/domain/Identifiers"
import { Conflict, NotFound, Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import type { User } from "@beckon/domain/ports/UserDirectory"
import { Audit } from "../audit/Audit.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as BoundCredential from "./BoundCredential.ts"
import { Recipients } from "./Recipients.ts"
import { UserServices } from "./UserServices.ts"

export interface CredentialState {
  readonly set: boolean
  readonly updatedAt: DateTime.Utc | null
}

/** What goes into `Authorization` (RFC 6750, RFC 7617). */
const authorizationOf = (credential: NewCredential): string =>
  credential.type === "bearer"
    ? `Bearer ${Redacted.value(credential.token)}`
    : `Basic ${Base64.encode(`${credential.username}:${Redacted.value(credential.password)}`)}`

const name = "user_service"

export class UserServiceAccounts extends Context.Service<
  UserServiceAccounts,
  {
    readonly state: Effect.Effect<CredentialState, Unavailable, CurrentIdentity>
    /** For the origin of the user service that is set now, and for no other. */
    readonly set: (
      credential: NewCredential
    ) => Effect.Effect<CredentialState, Unavailable | Unprocessable, CurrentIdentity>
    readonly remove: Effect.Effect<void, NotFound | Unavailable, CurrentIdentity>
    /** Asks for one user, past what is kept. */
    readonly test: (
      userId: UserId
    ) => Effect.Effect<
      { readonly failure: string | null; readonly user: Option.Option<User> },
      Conflict | Unavailable,
      CurrentIdentity
    >
  }
>()("@beckon/server/users/UserServiceAccounts") {
  static readonly layer = Layer.effect(
    UserServiceAccounts,
    Effect.gen(function* () {
      const secrets = yield* TenantSecretStore
      const services = yield* UserServices
      const recipients = yield* Recipients
      const audit = yield* Audit

      const note = (verb: "set" | "remove") =>
        audit.record({ action: `user_service_credential.${verb}`, target: "tenant/user-service" })

      return {
        state: Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const setAt = yield* secrets.setAt(tenantId, name)
          return { set: Option.isSome(setAt), updatedAt: Option.getOrNull(setAt) }
        }).pipe(Effect.catch(storeToProblem)),

        set: Effect.fn("UserServiceAccounts.set")(
          function* (credential) {
            const { tenantId } = yield* CurrentIdentity
            const now = yield* DateTime.now
            const source = yield* recipients.externalOf(tenantId)
            if (Option.isNone(source)) {
              return yield* new Unprocessable({
                detail: "settings.recipients.url: set it first; the service account goes to its origin only"
              })
            }
            const kept = BoundCredential.bind(source.value.url, authorizationOf(credential))
            yield* secrets.set(tenantId, name, kept, now)
            yield* services.credentialChanged(tenantId)
            yield* note("set")
            return { set: true, updatedAt: now }
          },
          Effect.catchTag("StoreUnavailable", storeToProblem)
        ),

        remove: Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          if (!(yield* Effect.catch(secrets.remove(tenantId, name), storeToProblem))) {
            return yield* new NotFound({ detail: "your tenant has no service account at its user service" })
          }
          yield* services.credentialChanged(tenantId)
          yield* note("remove")
        }),

        test: Effect.fn("UserServiceAccounts.test")(function* (userId) {
          const { tenantId } = yield* CurrentIdentity
          const source = yield* Effect.catch(recipients.externalOf(tenantId), storeToProblem)
          if (Option.isNone(source)) {
            return yield* new Conflict({ detail: "settings.recipients: the tenant's users are in the directory" })
          }
          return yield* Effect.match(recipients.ask(tenantId, source.value, userId), {
            onFailure: ({ detail }) => ({ failure: detail, user: Option.none<User>() }),
            onSuccess: (user) => ({ failure: null, user })
          })
        })
      }
    })
  )
}
