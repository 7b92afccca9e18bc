/**
 * `/api/v1/admin/users/{id}/personal-data`.
 */
import { Effect, Stream } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { PersonalData } from "@beckon/domain/ports/PersonalData"
import { RowAccess } from "@beckon/domain/ports/RowAccess"
import { Audit } from "../audit/Audit.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Mailboxes } from "../mailbox/Mailboxes.ts"

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "personalData",
  Effect.fn(function* (handlers) {
    const personal = yield* PersonalData
    const mailboxes = yield* Mailboxes
    const audit = yield* Audit
    return handlers.handleAll({
      export: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          yield* audit.record({ action: "personal_data.export", target: `user/${params.id}` })
          // The answer is written after this call has ended, and must not see more than it.
          return personal.export({ tenantId, userId: params.id }).pipe(
            Stream.provideService(RowAccess, { tenantId }),
            // The status is sent by then: an answer that breaks off is how a client learns of it.
            Stream.tapError((error) => Effect.logWarning("An export broke off", error)),
            Stream.orDie
          )
        }),

      erase: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const key = { tenantId, userId: params.id }
          // Last of all the inbox: what is scheduled or planned could come into it meanwhile.
          const erased = yield* Effect.catch(personal.erase(key), storeToProblem)
          const { changed } = yield* mailboxes.changeState(key, { _tag: "Erase" })
          const all = { ...erased, ...(changed === 0 ? {} : { notifications: changed }) }
          yield* audit.record({ action: "personal_data.erase", target: `user/${params.id}`, after: all })
          return { data: { erased: all } }
        })
    })
  })
)
