/**
 * `/api/v1/admin/revocations`: tokens that are refused before they expire.
 */
import { DateTime, Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import type { RevocationView } from "@beckon/domain/api/RevocationApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { Unprocessable } from "@beckon/domain/Problem"
import type { Revocation } from "@beckon/domain/Revocation"
import { Audit } from "../audit/Audit.ts"
import { Revocations } from "../identity/Revocations.ts"
import { RevocationSettings } from "../identity/RevocationSettings.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

const toView = ({ before, expiresAt, kind, subject }: Revocation): RevocationView => ({
  userId: kind === "user" ? subject : null,
  tokenId: kind === "token" ? subject : null,
  before: kind === "user" ? before : null,
  expiresAt
})

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "revocations",
  Effect.fn(function* (handlers) {
    const revocations = yield* Revocations
    const { keptFor } = yield* RevocationSettings
    const audit = yield* Audit
    return handlers.handleAll({
      create: ({ payload: { before, expiresAt, tokenId, userId } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const now = yield* DateTime.now
          if (userId === undefined && tokenId === undefined) {
            return yield* new Unprocessable({ detail: "user_id: give it, or token_id" })
          }
          if (before !== undefined && DateTime.isGreaterThan(before, now)) {
            return yield* new Unprocessable({ detail: "before: it must not be in the future" })
          }
          const latest = DateTime.addDuration(now, keptFor)
          const wanted: ReadonlyArray<Revocation> = [
            ...(userId === undefined
              ? []
              : [
                  {
                    tenantId,
                    kind: "user" as const,
                    subject: userId,
                    before: before ?? now,
                    // Counted from now, not from `before`: a token without the time of its issue may be any age.
                    expiresAt: latest
                  }
                ]),
            ...(tokenId === undefined
              ? []
              : [
                  {
                    tenantId,
                    kind: "token" as const,
                    subject: tokenId,
                    before: now,
                    expiresAt: expiresAt === undefined ? latest : DateTime.min(expiresAt, latest)
                  }
                ])
          ]
          const saved = yield* Effect.forEach(wanted, (one) => Effect.catch(revocations.revoke(one), storeToProblem))
          for (const one of saved) {
            yield* audit.record({
              action: "token.revoke",
              target: `${one.kind}/${one.subject}`,
              after: { before: DateTime.formatIso(one.before), expires_at: DateTime.formatIso(one.expiresAt) }
            })
          }
          return { data: saved.map(toView) }
        })
    })
  })
)
