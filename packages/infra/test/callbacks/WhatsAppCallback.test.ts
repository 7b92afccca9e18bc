import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Redacted } from "effect"
import fc from "fast-check"
import { createHmac } from "node:crypto"
import * as WhatsAppCallback from "../../src/callbacks/WhatsAppCallback.ts"
import { flipped, holds, request } from "./CallbackFixture.ts"

const secret = "app-secret"
const callback = WhatsAppCallback.make({
  appSecret: Redacted.make(secret),
  verifyToken: Redacted.make("agreed word")
})

const sign = (body: string | Uint8Array): Buffer => createHmac("sha256", secret).update(body).digest()
const signed = (body: string | Uint8Array, signature = sign(body)) =>
  request(body, { "x-hub-signature-256": `sha256=${signature.toString("hex")}` })

const wrapped = (statuses: ReadonlyArray<unknown>, more: object = {}) =>
  JSON.stringify({
    object: "whatsapp_business_account",
    entry: [
      {
        id: "102290129340398",
        changes: [
          {
            field: "messages",
            value: { messaging_product: "whatsapp", metadata: { phone_number_id: "1" }, statuses, ...more }
          }
        ]
      }
    ]
  })

const status = (name: string, more: object = {}) => ({
  id: "wamid.1",
  status: name,
  timestamp: "1800000000",
  recipient_id: "4915112345678",
  biz_opaque_callback_data: "0199-d1",
  ...more
})

const challengeUrl = (query: Readonly<Record<string, string>>) =>
  `https://beckon.example/callbacks/whatsapp?${new URLSearchParams(query).toString()}`

const good = { "hub.mode": "subscribe", "hub.verify_token": "agreed word", "hub.challenge": "1158201444" }

describe("WhatsAppCallback", () => {
  it.effect("the challenge is answered to who knows the token", () =>
    Effect.gen(function* () {
      expect(yield* callback.challenge(challengeUrl(good))).toBe("1158201444")
      const refusal = (query: Readonly<Record<string, string>>) => Effect.flip(callback.challenge(challengeUrl(query)))
      expect(yield* refusal({ ...good, "hub.verify_token": "agreed worD" })).toMatchObject({ reason: "forged" })
      expect(yield* refusal({ ...good, "hub.verify_token": "" })).toMatchObject({ reason: "forged" })
      expect(yield* refusal({ "hub.mode": "subscribe" })).toMatchObject({ reason: "unsigned" })
      expect(yield* refusal({ ...good, "hub.mode": "unsubscribe" })).toMatchObject({ reason: "malformed" })
      expect(yield* refusal({ ...good, "hub.challenge": "<script>" })).toMatchObject({ reason: "malformed" })
    })
  )

  it.effect("every status has its state, and says whose it is", () =>
    Effect.gen(function* () {
      const error = { code: 131026, title: "Undeliverable", error_data: { details: "not on WhatsApp" } }
      const statuses = ["sent", "delivered", "read", "played", "deleted"].map((name) => status(name))
      const events = yield* callback.events(signed(wrapped([...statuses, status("failed", { errors: [error] })])))
      expect(events.map(({ code, eventKey, state }) => [eventKey, state, code])).toEqual([
        ["wamid.1:sent", "sent", "sent"],
        ["wamid.1:delivered", "delivered", "delivered"],
        ["wamid.1:read", "seen", "read"],
        ["wamid.1:played", "seen", "played"],
        ["wamid.1:deleted", null, "deleted"],
        ["wamid.1:failed", "dead", "131026"]
      ])
      expect(events[5]).toEqual({
        provider: "whatsapp",
        eventKey: "wamid.1:failed",
        deliveryId: "0199-d1",
        providerMessageId: "wamid.1",
        state: "dead",
        code: "131026",
        detail: "not on WhatsApp",
        at: DateTime.makeUnsafe(1_800_000_000_000)
      })
    })
  )

  it.effect("what users write is left alone, and broken statuses cost the others nothing", () =>
    Effect.gen(function* () {
      const messages = [{ from: "49151", id: "wamid.in", type: "text", text: { body: "Hi" } }]
      expect(
        yield* callback.events(signed(JSON.stringify({ entry: [{ changes: [{ value: { messages } }] }] })))
      ).toEqual([])
      const broken = [null, {}, status("sent", { id: 5 }), status("sent", { timestamp: "soon" }), status("a b")]
      const events = yield* callback.events(
        signed(wrapped([...broken, status("read", { errors: "odd" })], { messages }))
      )
      expect(events.map(({ eventKey }) => eventKey)).toEqual(["wamid.1:read"])
      const half = JSON.stringify({ entry: [null, { changes: 1 }, ...JSON.parse(wrapped([status("sent")])).entry] })
      expect(yield* callback.events(signed(half))).toHaveLength(1)
    })
  )

  it.effect("what is not signed, and what is no webhook, is refused", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(callback.events(request("{}")))).toMatchObject({ reason: "unsigned" })
      for (const header of ["", "sha256=", sign("{}").toString("hex"), `sha1=${sign("{}").toString("hex")}`])
        expect(yield* Effect.flip(callback.events(request("{}", { "x-hub-signature-256": header })))).toMatchObject({
          reason: "forged"
        })
      for (const body of ["", "{}", "[]", '{"entry": 1}'])
        expect(yield* Effect.flip(callback.events(signed(body)))).toMatchObject({ reason: "malformed" })
    })
  )

  it.effect("one changed bit in the body or the signature is refused", () =>
    holds(fc.tuple(fc.nat({ max: 10_000 }), fc.constantFrom("body", "signature")), 200, ([bit, what]) =>
      Effect.gen(function* () {
        const body = Buffer.from(wrapped([status("sent")]))
        const sent = what === "body" ? signed(flipped(body, bit), sign(body)) : signed(body, flipped(sign(body), bit))
        expect(yield* Effect.flip(callback.events(sent))).toMatchObject({ reason: "forged" })
      })
    )
  )
})
