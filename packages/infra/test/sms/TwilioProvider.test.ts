import { NodeHttpClient } from "@effect/platform-node"
import { DeliveryId } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import type { Outgoing } from "@beckon/domain/ports/ChannelProvider"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import * as TwilioProvider from "../../src/sms/TwilioProvider.ts"
import * as Loopback from "../http/LoopbackHttp.ts"

const authToken = Redacted.make("token-of-acme")

const sms = (text: string): Outgoing<"sms"> => ({
  tenantId: TenantId.make("acme"),
  deliveryId: DeliveryId.make("0199 d&1"),
  correlationId: undefined,
  message: { to: "+4915112345678", text }
})

const started = Effect.fnUntraced(function* (changes: Partial<TwilioProvider.TwilioSettings> = {}) {
  const server = yield* Loopback.start
  const provider = yield* TwilioProvider.make({
    accountSid: "AC123",
    authToken,
    sender: { from: "+12025550123" },
    statusCallback: "https://beckon.example/callbacks/twilio?tenant=acme",
    baseUrl: server.url,
    timeout: "5 seconds",
    ...changes
  })
  return { server, provider }
})

const created = Loopback.json(201, { sid: "SM1", status: "queued", error_code: null, error_message: null })
const refused = (status: number, code: number) =>
  Loopback.json(status, { code, message: `because, token-of-acme`, more_info: "https://twilio.example", status })

const failures: ReadonlyArray<
  readonly [what: string, reply: Loopback.Reply, failureClass: string, code: string, seconds?: number]
> = [
  ["a wrong token", refused(401, 20003), "credentials", "20003"],
  ["401 without a code", Loopback.text(401, ""), "credentials", "http_401"],
  ["an unknown account", refused(404, 20404), "credentials", "20404"],
  ["a number that is not ours", refused(400, 21606), "credentials", "21606"],
  ["an invalid number", refused(400, 21211), "unreachable", "21211"],
  ["no mobile", refused(400, 21614), "unreachable", "21614"],
  ["an unsubscribed recipient", refused(400, 21610), "permanent", "21610"],
  ["a country that is not allowed", refused(403, 21408), "permanent", "21408"],
  ["an unknown refusal", refused(400, 29999), "permanent", "29999"],
  ["too many requests", refused(429, 20429), "throttled", "20429"],
  ["429 with Retry-After", Loopback.text(429, "", { "retry-after": "3" }), "throttled", "http_429", 3],
  ["a full queue", refused(400, 21611), "throttled", "21611"],
  ["500", refused(500, 20500), "transient", "20500"],
  ["503 without JSON", Loopback.text(503, "<html>"), "transient", "http_503"],
  ["201 without an id", Loopback.text(201, "{}"), "transient", "bad_answer"],
  [
    "201 that already failed",
    Loopback.json(201, { sid: "SM1", status: "failed", error_code: 30005 }),
    "unreachable",
    "30005"
  ],
  ["a reset connection", Loopback.reset, "transient", "connection"],
  ["half an answer", Loopback.half, "transient", "connection"]
]

describe("TwilioProvider", () => {
  it.live("one message: a form, the account's login, and a callback that names the delivery", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started()
      server.prepare(created)
      expect(yield* provider.send([sms("Grüße & mehr")])).toEqual([
        { _tag: "Sent", providerMessageId: "SM1", code: "queued" }
      ])
      const [request] = server.seen
      expect(request).toMatchObject({
        method: "POST",
        path: "/2010-04-01/Accounts/AC123/Messages.json",
        headers: {
          authorization: `Basic ${Buffer.from("AC123:token-of-acme").toString("base64")}`,
          "content-type": "application/x-www-form-urlencoded"
        }
      })
      expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
        To: "+4915112345678",
        From: "+12025550123",
        Body: "Grüße & mehr",
        StatusCallback: "https://beckon.example/callbacks/twilio?tenant=acme&d=0199+d%261"
      })
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("a messaging service stands in for the number", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started({ sender: { messagingServiceSid: "MG1" } })
      server.prepare(created)
      yield* provider.send([sms("Hi")])
      const form = Object.fromEntries(new URLSearchParams(server.seen[0]?.body))
      expect(form).toMatchObject({ MessagingServiceSid: "MG1" })
      expect(form).not.toHaveProperty("From")
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("1,600 characters go out, 1,601 are refused without asking Twilio", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started()
      server.prepare(created)
      expect(yield* provider.send([sms("😀".repeat(1_600))])).toMatchObject([{ _tag: "Sent" }])
      expect(yield* provider.send([sms("x".repeat(1_601))])).toMatchObject([
        { class: "permanent", code: "too_long", detail: expect.stringContaining("1601") }
      ])
      expect(server.seen).toHaveLength(1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live.each(failures)("%s", ([, reply, failureClass, code, seconds]) =>
    Effect.gen(function* () {
      const { provider, server } = yield* started()
      server.prepare(reply)
      const [outcome] = yield* provider.send([sms("Hi")])
      expect(outcome).toMatchObject({ _tag: "Failed", class: failureClass, code })
      const wait = outcome?._tag === "Failed" ? outcome.retryAfter : undefined
      expect(wait === undefined ? undefined : Duration.toSeconds(wait)).toBe(seconds)
      expect(JSON.stringify(outcome)).not.toContain("token-of-acme")
      expect(server.seen).toHaveLength(1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.effect.each([{ accountSid: "../x" }, { baseUrl: "nowhere" }, { statusCallback: "nowhere" }] as const)(
    "settings %o are refused",
    (wrong) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          TwilioProvider.make({ accountSid: "AC123", authToken, sender: { from: "+12025550123" }, ...wrong })
        )
        expect(error._tag).toBe("TwilioSettingsInvalid")
      }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )
})
