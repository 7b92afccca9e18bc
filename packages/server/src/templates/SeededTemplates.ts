/**
 * Beckon's own templates: what every tenant has before it writes any.
 *
 * **Details**
 *
 * They are part of the program and of no database, so that every node of a release has the same, and a tenant's template of the
 * same code needs no rule about what to overwrite. Their version is 0, which no tenant's has.
 */
import { DateTime } from "effect"
import type { TemplateInput, TemplateSummary, TemplateVersion } from "@beckon/domain/Template"
import { friendRequest } from "./seeded/FriendRequest.ts"
import { orderStatus } from "./seeded/OrderStatus.ts"
import { passwordReset } from "./seeded/PasswordReset.ts"
import { digest, notification } from "./seeded/Plain.ts"
import { verificationCode } from "./seeded/VerificationCode.ts"
import { welcome } from "./seeded/Welcome.ts"

/** The version of all of them. */
export const version = 0

const inputs: Readonly<Record<string, TemplateInput>> = {
  digest,
  friend_request: friendRequest,
  notification,
  order_status: orderStatus,
  password_reset: passwordReset,
  verification_code: verificationCode,
  welcome
}

const createdAt = DateTime.makeUnsafe("2025-01-01T00:00:00Z")

const byCode: ReadonlyMap<string, TemplateVersion> = new Map(
  Object.entries(inputs).map(([code, { description = null, texts, variables = null }]) => [
    code,
    { code, version, description, texts, variables, createdAt }
  ])
)

export const codes: ReadonlyArray<string> = [...byCode.keys()].toSorted()

export const find = (code: string): TemplateVersion | undefined => byCode.get(code)

/** A page of a tenant's templates with Beckon's own among them. The codes of ours are ASCII: every order agrees on them. */
export const among = (
  rows: ReadonlyArray<TemplateSummary>,
  { afterCode = "", limit }: { readonly afterCode?: string; readonly limit: number }
): ReadonlyArray<TemplateSummary> => {
  const own = new Set(rows.map(({ code }) => code))
  const seeded = [...byCode.values()]
    .filter(({ code }) => code > afterCode && !own.has(code))
    .map(({ code, description }) => ({
      code,
      description,
      activeVersion: version,
      latestVersion: version,
      updatedAt: createdAt
    }))
  const merged = [...rows]
  for (const one of seeded.toSorted((left, right) => (left.code < right.code ? -1 : 1))) {
    const place = merged.findIndex(({ code }) => code > one.code)
    merged.splice(place < 0 ? merged.length : place, 0, one)
  }
  return merged.slice(0, limit)
}
