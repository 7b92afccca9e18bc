/**
 * What an error of nodemailer means for the delivery.
 *
 * **Details**
 *
 * The server's reply decides where there is one (RFC 5321, 4.2; enhanced codes: RFC 3463 and the IANA registry). `unreachable` takes a
 * reply to `RCPT TO` whose enhanced code says that the address is dead; a bare 550 may as well be somebody's policy.
 */
import { Option, Schema } from "effect"
import { failed, timedOut, unanswered } from "../http/ProviderFailure.ts"
import type { Failed } from "../http/ProviderFailure.ts"

/** The parts of nodemailer's errors that are its own. */
const SmtpErrorParts = Schema.Struct({
  code: Schema.optionalKey(Schema.String),
  originalCode: Schema.optionalKey(Schema.String),
  responseCode: Schema.optionalKey(Schema.Finite),
  response: Schema.optionalKey(Schema.String),
  command: Schema.optionalKey(Schema.String)
})
const decodeParts = Schema.decodeUnknownOption(SmtpErrorParts)

/** Mailbox, domain or address that is not there; a mailbox that moved or is closed; a domain that takes no mail (RFC 7505). */
const deadAddress = new Set(["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])

/** Needs authentication; mechanism too weak; refused; needs encryption (RFC 4954). */
const authCodes = new Set([530, 534, 535, 538])

/** The commands whose reply is a verdict on the message; replies to others are about the session. */
const aboutMessage = new Set(["MAIL FROM", "RCPT TO", "DATA"])

const enhancedOf = (response: string): string | undefined => /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1]

const ofReply = (responseCode: number, response: string, command: string): Failed => {
  const enhanced = enhancedOf(response)
  const code = enhanced === undefined ? `${responseCode}` : `${responseCode} ${enhanced}`
  const detail = `the server answered: ${response}`
  // 503 is a command out of order.
  if (responseCode < 500 || responseCode === 503) return failed("transient", code, detail)
  if (authCodes.has(responseCode) || command.startsWith("AUTH")) return failed("credentials", code, detail)
  if (!aboutMessage.has(command)) return failed("transient", code, detail)
  return command === "RCPT TO" && enhanced !== undefined && deadAddress.has(enhanced)
    ? failed("unreachable", "bounce", detail)
    : failed("permanent", code, detail)
}

/** Which outcome an error of `sendMail` is. */
export const failureOf = (error: unknown): Failed => {
  const parts: typeof SmtpErrorParts.Type = Option.getOrElse(decodeParts(error), () => ({}))
  const { code, command = "", originalCode, response = "", responseCode } = parts
  if (code === "ETLS") return failed("transient", "tls", "no encrypted connection to the server could be made")
  if (responseCode !== undefined) return ofReply(responseCode, response, command)
  if (code === "ETIMEDOUT") return timedOut()
  if (code === "EAUTH" || code === "ENOAUTH")
    return failed("credentials", code, "the server offers no login that user name and password could be used for")
  if (code === "EENVELOPE") return failed("unreachable", "invalid_address", "the address cannot be written in SMTP")
  if (code === "EMESSAGE") return failed("permanent", "too_large", "the server takes no message of this size")
  return unanswered(originalCode === undefined ? error : Object.assign(new Error(), { code: originalCode }))
}
