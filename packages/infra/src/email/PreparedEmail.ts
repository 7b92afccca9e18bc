/**
 * An email as every provider sends it: checked addresses, a subject of one line, and the headers that are ours.
 *
 * **Details**
 *
 * The `Message-ID` is made of the delivery's id, so that mail programs show one mail where two tries came through, also when
 * two providers sent them. `List-Unsubscribe` and `List-Unsubscribe-Post` are those of RFC 8058.
 */
import type { DeliveryId } from "@beckon/domain/Delivery"
import type { EmailMessage } from "@beckon/domain/ports/ChannelProvider"
import { failed } from "../http/ProviderFailure.ts"
import type { Failed } from "../http/ProviderFailure.ts"
import { domainOf, emailAddressOf } from "./EmailAddress.ts"
import type { EmailAddress } from "./EmailAddress.ts"

export interface PreparedEmail {
  readonly _tag: "Prepared"
  readonly to: EmailAddress
  readonly replyTo: EmailAddress | undefined
  readonly subject: string
  readonly messageId: string
  readonly headers: Readonly<Record<string, string>>
}

/** Letters, digits and the marks that `dot-atom-text` (RFC 5322) allows anywhere; what else an id may contain is escaped. */
const escapedId = (id: string): string =>
  encodeURIComponent(id).replace(/[().!'*~]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`)

const messageIdOf = (deliveryId: DeliveryId, from: EmailAddress): string =>
  `<${escapedId(deliveryId)}@${new URL(`http://${domainOf(from)}`).hostname}>`

/** A URL's `href` has no spaces, line ends or angle brackets left. */
const oneClickOf = (url: string): string | undefined => {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  return parsed?.protocol === "https:" && parsed.username === "" ? parsed.href : undefined
}

export const prepare = (message: EmailMessage, deliveryId: DeliveryId, from: EmailAddress): PreparedEmail | Failed => {
  const to = emailAddressOf(message.to)
  if (to === undefined)
    return failed("unreachable", "invalid_address", "the recipient's address is not an email address")
  const replyTo = message.replyTo === undefined ? undefined : emailAddressOf(message.replyTo)
  if (message.replyTo !== undefined && replyTo === undefined)
    return failed("permanent", "invalid_reply_to", "replyTo is not one email address")
  const unsubscribe = message.unsubscribeUrl === undefined ? undefined : oneClickOf(message.unsubscribeUrl)
  if (message.unsubscribeUrl !== undefined && unsubscribe === undefined)
    return failed("permanent", "invalid_unsubscribe_url", "unsubscribeUrl is not an https URL, as RFC 8058 wants it")
  return {
    _tag: "Prepared",
    to,
    replyTo,
    subject: message.subject.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, " ").trim(),
    messageId: messageIdOf(deliveryId, from),
    headers: {
      "X-Beckon-Delivery": escapedId(deliveryId),
      ...(unsubscribe === undefined
        ? {}
        : { "List-Unsubscribe": `<${unsubscribe}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" })
    }
  }
}
