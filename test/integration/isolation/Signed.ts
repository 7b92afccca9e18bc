/**
 * What a tenant's own account with Twilio tells, signed with that account's token as Twilio signs.
 */
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js"
import type { Call } from "../road/Road.ts"
import type { Furnished } from "./Furnished.ts"

export const authTokenOf = (tenant: string) => `secret-of-${tenant}`

/** `to` and `delivery` default to the account that signs, and to none. */
export const signedByTwilio = (
  publicUrl: string,
  by: Furnished,
  fields: Readonly<Record<string, string>>,
  { delivery, to = by }: { readonly delivery?: string; readonly to?: Furnished } = {}
): { readonly path: string; readonly options: Call } => {
  const query = delivery === undefined ? "" : `?d=${delivery}`
  const path = `/api/v1/callbacks/twilio/${to.tenant}/${to.provider}${query}`
  return {
    path,
    options: {
      method: "POST",
      contentType: "application/x-www-form-urlencoded",
      body: new URLSearchParams(fields).toString(),
      headers: {
        "x-twilio-signature": getExpectedTwilioSignature(authTokenOf(by.tenant), publicUrl + path, { ...fields })
      }
    }
  }
}
