/**
 * What providers tell afterwards, signed as each of them signs.
 */
import { Effect } from "effect"
import { createHmac, createSign } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js"
import { ask, publicUrl, Services } from "./Services.ts"

const seconds = () => Math.floor(Date.now() / 1_000)

let events = 0

/** An event of SendGrid's Event Webhook, with an id of its own. */
export const sendGridEvent = (event: string, more: Record<string, unknown>) => ({
  event,
  email: "ada@example.com",
  timestamp: seconds(),
  sg_event_id: `event-${++events}`,
  ...more
})

/** Signs with SendGrid's key, unless a forger's is given; `sent` is what goes over the wire in place of what was signed. */
export const sendGrid = Effect.fnUntraced(function* (
  batch: ReadonlyArray<unknown>,
  { key, sent }: { readonly key?: KeyObject; readonly sent?: ReadonlyArray<unknown> } = {}
) {
  const { sendGridKey } = yield* Services
  const timestamp = `${seconds()}`
  const body = JSON.stringify(batch)
  const signature = createSign("sha256")
    .update(timestamp)
    .update(body)
    .sign(key ?? sendGridKey)
  return yield* ask("/api/v1/callbacks/sendgrid", {
    body: sent === undefined ? body : JSON.stringify(sent),
    headers: {
      "x-twilio-email-event-webhook-signature": signature.toString("base64"),
      "x-twilio-email-event-webhook-timestamp": timestamp
    }
  })
})

/** Calls the URL that Twilio was given with the message, and signs by Twilio's own library. */
export const twilio = Effect.fnUntraced(function* (
  url: string,
  fields: Readonly<Record<string, string>>,
  token: string
) {
  return yield* ask(url.slice(publicUrl.length), {
    body: new URLSearchParams(fields).toString(),
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": getExpectedTwilioSignature(token, url, { ...fields })
    }
  })
})

export const whatsAppStatus = (status: string, id: string, more: Record<string, unknown> = {}) => ({
  object: "whatsapp_business_account",
  entry: [
    {
      id: "1",
      changes: [
        {
          field: "messages",
          value: { messaging_product: "whatsapp", statuses: [{ id, status, timestamp: `${seconds()}`, ...more }] }
        }
      ]
    }
  ]
})

export const whatsApp = Effect.fnUntraced(function* (news: unknown, secret: string) {
  const body = JSON.stringify(news)
  const signature = createHmac("sha256", secret).update(body).digest("hex")
  return yield* ask("/api/v1/callbacks/whatsapp", { body, headers: { "x-hub-signature-256": `sha256=${signature}` } })
})
