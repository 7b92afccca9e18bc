import { NodeHttpClient } from "@effect/platform-node"
import { DeliveryId } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import type { Outgoing, WhatsAppMessage } from "@beckon/domain/ports/ChannelProvider"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import * as WhatsAppProvider from "../../src/whatsapp/WhatsAppProvider.ts"
import * as Loopback from "../http/LoopbackHttp.ts"

const accessToken = Redacted.make("token-of-acme")

const message = (content: WhatsAppMessage["content"]): Outgoing<"whatsapp"> => ({
  tenantId: TenantId.make("acme"),
  deliveryId: DeliveryId.make("0199-d1"),
  correlationId: undefined,
  message: { to: "+4915112345678", content }
})
const text = (body: string) => message({ _tag: "Text", text: body })

const started = Effect.gen(function* () {
  const server = yield* Loopback.start
  const provider = yield* WhatsAppProvider.make({
    phoneNumberId: "106540352242922",
    accessToken,
    baseUrl: server.url,
    timeout: "5 seconds"
  })
  return { server, provider }
})

const sent = Loopback.json(200, { messaging_product: "whatsapp", contacts: [{}], messages: [{ id: "wamid.1" }] })
const refused = (status: number, code: number, more: object = {}, headers = {}) =>
  Loopback.json(
    status,
    { error: { message: `(#${code}) because`, type: "OAuthException", code, fbtrace_id: "f", ...more } },
    headers
  )

const failures: ReadonlyArray<
  readonly [what: string, reply: Loopback.Reply, failureClass: string, code: string, seconds?: number]
> = [
  ["an expired token", refused(400, 190), "credentials", "190"],
  ["no permission", refused(400, 10), "credentials", "10"],
  ["no permission, by range", refused(400, 294), "credentials", "294"],
  ["an unknown phone number id", refused(400, 100, { error_subcode: 33 }), "credentials", "100"],
  ["401 without JSON", Loopback.text(401, "no"), "credentials", "http_401"],
  ["too many calls", refused(400, 4), "throttled", "4"],
  ["the account's rate", refused(429, 80007), "throttled", "80007"],
  ["the throughput", refused(429, 130429, {}, { "retry-after": "5" }), "throttled", "130429", 5],
  ["the spam rate", refused(400, 131048), "throttled", "131048"],
  ["the pair rate", refused(400, 131056), "throttled", "131056"],
  ["not on WhatsApp", refused(400, 131026), "unreachable", "131026"],
  ["ourselves", refused(400, 131021), "unreachable", "131021"],
  ["the closed 24 hours", refused(400, 131047), "permanent", "131047"],
  ["a template with other parameters", refused(400, 132000), "permanent", "132000"],
  ["an unknown template", refused(404, 132001), "permanent", "132001"],
  ["a bad parameter", refused(400, 100), "permanent", "100"],
  ["an unknown fault", refused(500, 1), "transient", "1"],
  ["the service down", refused(503, 2), "transient", "2"],
  ["something went wrong", refused(500, 131000), "transient", "131000"],
  ["overloaded", refused(500, 131016), "transient", "131016"],
  ["502 without JSON", Loopback.text(502, "<html>"), "transient", "http_502"],
  ["200 without an id", Loopback.json(200, { messages: [] }), "transient", "bad_answer"],
  ["a reset connection", Loopback.reset, "transient", "connection"]
]

describe("WhatsAppProvider", () => {
  it.live("a text names the delivery, and its id is kept", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      server.prepare(sent)
      expect(yield* provider.send([text("Grüße")])).toEqual([{ _tag: "Sent", providerMessageId: "wamid.1" }])
      const [request] = server.seen
      expect(request).toMatchObject({
        method: "POST",
        path: "/v23.0/106540352242922/messages",
        headers: { authorization: "Bearer token-of-acme" }
      })
      expect(JSON.parse(request?.body ?? "")).toEqual({
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to: "+4915112345678",
        type: "text",
        text: { body: "Grüße", preview_url: false },
        biz_opaque_callback_data: "0199-d1"
      })
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live.each([
    [
      ["Ada", "18:40"],
      [
        {
          type: "body",
          parameters: [
            { type: "text", text: "Ada" },
            { type: "text", text: "18:40" }
          ]
        }
      ]
    ],
    [[], undefined]
  ] as const)("a template with the parameters %j", ([parameters, components]) =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      server.prepare(sent)
      yield* provider.send([message({ _tag: "Template", name: "order_left", language: "de", parameters })])
      expect(JSON.parse(server.seen[0]?.body ?? "")).toMatchObject({ type: "template" })
      expect(JSON.parse(server.seen[0]?.body ?? "").template).toEqual({
        name: "order_left",
        language: { code: "de" },
        ...(components === undefined ? {} : { components })
      })
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live.each(failures)("%s", ([, reply, failureClass, code, seconds]) =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      server.prepare(reply)
      const [outcome] = yield* provider.send([text("Hi")])
      expect(outcome).toMatchObject({ _tag: "Failed", class: failureClass, code })
      const wait = outcome?._tag === "Failed" ? outcome.retryAfter : undefined
      expect(wait === undefined ? undefined : Duration.toSeconds(wait)).toBe(seconds)
      expect(server.seen).toHaveLength(1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("the details that Meta gives are kept, and the token is not", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      server.prepare(refused(400, 131047, { error_data: { details: "more than 24 hours, token-of-acme" } }))
      const [outcome] = yield* provider.send([text("Hi")])
      expect(outcome).toMatchObject({ detail: "WhatsApp answered 400: more than 24 hours, …" })
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("a text of more than 4,096 characters is refused without asking", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      expect(yield* provider.send([text("x".repeat(4_097))])).toMatchObject([{ class: "permanent", code: "too_long" }])
      expect(server.seen).toEqual([])
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.effect.each([{ phoneNumberId: "1/../2" }, { baseUrl: "nowhere" }, { version: "23" }] as const)(
    "settings %o are refused",
    (wrong) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(WhatsAppProvider.make({ phoneNumberId: "1", accessToken, ...wrong }))
        expect(error._tag).toBe("WhatsAppSettingsInvalid")
      }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )
})
