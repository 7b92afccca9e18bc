/**
 * What the definition of the API cannot say of calls whose bodies are read as raw bytes, because their signature is over them.
 */

const whatsapp = {
  type: "object",
  properties: { object: { type: "string" }, entry: { type: "array", items: { type: "object" } } },
  required: ["entry"]
}

const challenge = ["hub.mode", "hub.verify_token", "hub.challenge"]

interface RawCall {
  readonly body?: { readonly contentType: string; readonly schema: object }
  readonly headers?: ReadonlyArray<string>
  /** Which headers are needed depends on the path. */
  readonly isOpen?: boolean
  readonly query?: ReadonlyArray<string>
}

/** By `operationId`. */
export const rawCalls: Readonly<Record<string, RawCall>> = {
  "callbacks.sendgrid": {
    body: { contentType: "application/json", schema: { type: "array", items: { type: "object" } } },
    headers: ["X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"]
  },
  "callbacks.twilio": {
    body: {
      contentType: "application/x-www-form-urlencoded",
      schema: { type: "object", additionalProperties: { type: "string" } }
    },
    headers: ["X-Twilio-Signature"]
  },
  "callbacks.whatsapp": {
    body: { contentType: "application/json", schema: whatsapp },
    headers: ["X-Hub-Signature-256"]
  },
  "callbacks.whatsappChallenge": { query: challenge },
  "callbacks.push": {
    body: {
      contentType: "application/json",
      schema: {
        type: "object",
        properties: {
          delivery_id: { type: "string", minLength: 1, maxLength: 64 },
          receipt: { type: "string", description: "What came with the push." },
          event: { type: "string", enum: ["delivered", "opened"] }
        },
        required: ["delivery_id", "receipt", "event"]
      }
    }
  },
  // As the provider signs that is named in the path; WhatsApp's is shown.
  "callbacks.account": {
    body: { contentType: "application/json", schema: whatsapp },
    headers: ["X-Hub-Signature-256"],
    isOpen: true
  },
  "callbacks.accountChallenge": { query: challenge }
}
