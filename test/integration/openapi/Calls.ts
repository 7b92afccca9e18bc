/**
 * Carries examples out on a real server: with credentials of each kind, signatures of providers, and what earlier answers gave.
 */
import { Effect } from "effect"
import { createHmac, createSign, hkdfSync } from "node:crypto"
import { Redacted } from "effect"
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js"
import { fill, fillAll, samples } from "@beckon/domain/api/Example"
import type { Caller, Example } from "@beckon/domain/api/Example"
import { DeliveryId } from "@beckon/domain/Delivery"
import { receiptOf } from "@beckon/infra/callbacks/PushReceipt"
import { json, publicUrl, Services } from "../deliveries/Services.ts"
import * as Road from "../road/Road.ts"
import type { Operation } from "./Document.ts"

/** A path names it: the examples are of this tenant. */
export const shop = "shop"

const tokensOf = (tenant: string): Readonly<Record<Caller, string>> => ({
  user: Road.token({ sub: "ada", tenant }),
  friend: Road.token({ sub: "bea", tenant }),
  driver: Road.token({ sub: "bea", tenant, roles: ["user", "driver"] }),
  service: Road.token({ sub: "checkout", tenant, roles: ["service"] }),
  admin: Road.token({ sub: "boss", tenant, roles: ["admin"] }),
  platform: Road.token({ sub: "root", tenant, roles: ["platform"] })
})

/** Names that the test fills by itself; the others come from answers. */
type Values = Record<string, string>

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()

const seconds = () => String(Math.floor(Date.now() / 1_000))

/** Beckon's own key for receipts, of the secret that the server was started with. */
const receiptFor = (deviceTokens: string, delivery: string): string => {
  const secret = new Uint8Array(
    hkdfSync("sha256", Buffer.from(deviceTokens, "hex"), new Uint8Array(0), "beckon push receipts", 32)
  )
  return receiptOf(Redacted.make(secret), DeliveryId.make(delivery))
}

export interface Called extends Road.Answered {
  readonly target: string
}

/** Bodies are signed as they are sent, by the one whose callback it is. */
const signaturesOf = Effect.fnUntraced(function* (operation: Operation, target: string, body: string) {
  const { planted, sendGridKey } = yield* Services
  const timestamp = seconds()
  const secret = operation.id === "callbacks.account" ? "the-secret-of-the-app" : planted.whatsappApp
  return {
    sendgrid_timestamp: timestamp,
    sendgrid_signature: createSign("sha256").update(timestamp).update(body).sign(sendGridKey).toString("base64"),
    whatsapp_signature: `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    twilio_signature: getExpectedTwilioSignature(
      planted.twilio,
      publicUrl + target,
      Object.fromEntries(new URLSearchParams(body))
    )
  }
})

/** The value at `data.0.id`; `etag` is a header. */
const found = (answer: Road.Answered, where: string): string | undefined => {
  if (where === "etag") return answer.headers.get("etag") ?? undefined
  const value = where.split(".").reduce<Road.Answer["body"]>((node, name) => node?.[name], answer.body)
  return value === undefined ? undefined : String(value)
}

export const start = Effect.fnUntraced(function* (tenant: string) {
  const tokens = tokensOf(tenant)
  const { hooks, planted, running, whatsapp } = yield* Services
  hooks.moods.set(
    "/users?ids=ada",
    json(200, { data: [{ user_id: "ada", email: "ada@shop.example", roles: ["customer"] }] })
  )
  const values: Values = {
    next_week: inDays(7),
    next_year: inDays(300),
    this_moment: inDays(0),
    verify_token: planted.whatsappVerify,
    file_sha256: samples["file_sha256"] ?? ""
  }
  /** Who answers here for whom. */
  const hosts: ReadonlyArray<readonly [string, string]> = [
    ["https://hooks.shop.example", hooks.url],
    ["https://users.shop.example", hooks.url],
    ["https://graph.facebook.com", whatsapp.url]
  ]
  const local = (text: string) => hosts.reduce((changed, [name, url]) => changed.replaceAll(name, url), text)

  const call = Effect.fnUntraced(function* (operation: Operation, example: Example, as?: string | null) {
    const bearer = as === undefined && example.as !== undefined ? tokens[example.as] : (as ?? undefined)
    if (values["delivery_id"] !== undefined) {
      values["push_receipt"] = receiptFor(planted.deviceTokens, values["delivery_id"])
    }
    const named = operation.id === "callbacks.accountChallenge" ? { ...values, ...ofAccount } : values
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(fill(example.path?.[name] ?? "absent", named))
    )
    const query = new URLSearchParams(
      Object.entries(example.query ?? {}).map(([name, value]): [string, string] => [name, fill(value, named)])
    )
    const target = query.size === 0 ? path : `${path}?${query.toString()}`
    const text =
      example.text === undefined
        ? example.body === undefined
          ? undefined
          : local(JSON.stringify(fillAll(example.body, named)))
        : fill(example.text.body, named)
    const all = { ...named, ...(yield* signaturesOf(operation, target, text ?? "")) }
    const headers = Object.fromEntries(
      Object.entries(example.headers ?? {}).map(([name, value]) => [name, fill(value, all)])
    )
    const answer = yield* Road.call(running.url, target, {
      method: operation.method.toUpperCase(),
      headers,
      ...(bearer === undefined ? {} : { token: bearer }),
      ...(text === undefined ? {} : { body: text, contentType: example.text?.contentType ?? "application/json" })
    })
    return { ...answer, target }
  })

  /** Learns what later examples name; says what the answer does not have. */
  const learn = (example: Example, answer: Road.Answered): ReadonlyArray<string> =>
    Object.entries(example.keeps ?? {}).flatMap(([name, where]) => {
      const value = found(answer, where)
      if (value === undefined) return [`${name} at ${where}`]
      values[name] = value
      return []
    })

  /** Of one who may do nothing but something else. */
  const without = ({ definition }: Operation): string => {
    const other = definition["x-required-scope"] === "lookups:read" ? "presence:read" : "lookups:read"
    return Road.token({ sub: "ada", tenant, roles: ["platform"], scope: other })
  }

  return { call, learn, without, values, tokens, url: running.url }
})

/** What the account of the tenant was given. */
const ofAccount = { verify_token: "the-token-that-was-set" }

export type Calls = Effect.Success<ReturnType<typeof start>>
