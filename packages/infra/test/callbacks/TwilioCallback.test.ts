import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import {
  getExpectedBodyHash,
  getExpectedTwilioSignature,
  validateRequest,
  validateRequestWithBody
} from "twilio/lib/webhooks/webhooks.js"
import * as TwilioCallback from "../../src/callbacks/TwilioCallback.ts"
import { flipped, holds, request } from "./CallbackFixture.ts"

const token = "12345"
const callback = TwilioCallback.make({ authToken: Redacted.make(token) })
const url = "https://beckon.example/callbacks/twilio?d=0199-d1"
const formType = "application/x-www-form-urlencoded"

type Fields = Readonly<Record<string, string | Array<string>>>

const bodyOf = (fields: Fields): string => {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields))
    for (const one of Array.isArray(value) ? value : [value]) form.append(name, one)
  return form.toString()
}

/** Signed by Twilio's own library for `signedUrl`, and received at `receivedUrl`. */
const signed = (fields: Fields, signedUrl = url, receivedUrl = signedUrl) =>
  request(
    bodyOf(fields),
    { "content-type": formType, "x-twilio-signature": getExpectedTwilioSignature(token, signedUrl, { ...fields }) },
    receivedUrl
  )

const status = (name: string, more: Fields = {}): Fields => ({
  MessageSid: "SM1",
  SmsSid: "SM1",
  MessageStatus: name,
  SmsStatus: name,
  To: "+4915112345678",
  From: "+12025550123",
  AccountSid: "AC123",
  ApiVersion: "2010-04-01",
  ...more
})

describe("TwilioCallback", () => {
  it.effect.each([
    ["accepted", null, "accepted", {}],
    ["queued", null, "queued", {}],
    ["sending", null, "sending", {}],
    ["sent", "sent", "sent", {}],
    ["delivered", "delivered", "delivered", {}],
    ["read", "seen", "read", {}],
    ["undelivered", "dead", "30003", { ErrorCode: "30003" }],
    ["failed", "dead", "30008", { ErrorCode: "30008", ErrorMessage: "Unknown error" }],
    ["canceled", "dead", "canceled", {}],
    ["of_tomorrow", null, "of_tomorrow", {}]
  ] as const)("%s", ([name, state, code, more]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      expect(yield* callback.events(signed(status(name, more)))).toEqual([
        {
          provider: "twilio",
          eventKey: `SM1:${name}`,
          deliveryId: "0199-d1",
          providerMessageId: "SM1",
          state,
          code,
          detail: "ErrorMessage" in more ? more.ErrorMessage : null,
          at: DateTime.makeUnsafe(1_000)
        }
      ])
    })
  )

  it.effect.each([
    ["https://beckon.example/cb?d=1", "https://beckon.example:443/cb?d=1"],
    ["http://beckon.example/cb?d=1", "http://beckon.example:80/cb?d=1"],
    ["https://beckon.example:8443/cb?d=1", "https://beckon.example/cb?d=1"],
    ["https://beckon.example:8443/cb", "https://beckon.example:8443/cb"],
    ["https://[::1]/cb?d=1", "https://[::1]:443/cb?d=1"],
    ["https://beckon.example", "https://beckon.example:443"],
    ["https://beckon.example/cb?d=it's+%27&x=a%20b#f", "https://beckon.example:443/cb?d=it's+%27&x=a%20b#f"]
  ] as const)("received at %s, signed for %s: good for both", ([received, signedUrl]) =>
    Effect.gen(function* () {
      const fields = status("sent")
      expect(yield* callback.events(signed(fields, signedUrl, received))).toHaveLength(1)
      const signature = getExpectedTwilioSignature(token, signedUrl, { ...fields })
      expect(validateRequest(token, signature, received, { ...fields })).toBe(true)
    })
  )

  it.effect.each([
    "https://other.example/callbacks/twilio?d=0199-d1",
    "https://beckon.example/callbacks/twilio?d=0199-d2",
    "https://beckon.example/callbacks/twilio",
    "https://beckon.example:8443/callbacks/twilio?d=0199-d1",
    "http://beckon.example/callbacks/twilio?d=0199-d1",
    "not a URL"
  ])("signed for %s: refused", (signedUrl) =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(callback.events(signed(status("sent"), signedUrl, url)))).toMatchObject({
        reason: "forged"
      })
    })
  )

  it.effect("a JSON body is bound to the URL by its hash", () =>
    Effect.gen(function* () {
      const body = JSON.stringify(status("delivered"))
      const hashed = `${url}&bodySHA256=${getExpectedBodyHash(body)}`
      const signature = getExpectedTwilioSignature(token, hashed, {})
      const headers = { "content-type": "application/json", "x-twilio-signature": signature }
      expect(validateRequestWithBody(token, signature, hashed, body)).toBe(true)
      expect(yield* callback.events(request(body, headers, hashed))).toMatchObject([
        { eventKey: "SM1:delivered", state: "delivered", deliveryId: "0199-d1" }
      ])
      const other = JSON.stringify(status("failed"))
      expect(validateRequestWithBody(token, signature, hashed, other)).toBe(false)
      expect(yield* Effect.flip(callback.events(request(other, headers, hashed)))).toMatchObject({ reason: "forged" })
      // A hash that the caller brings himself is not in the signature.
      const brought = `${url}&bodySHA256=${getExpectedBodyHash(other)}`
      expect(yield* Effect.flip(callback.events(request(other, headers, brought)))).toMatchObject({ reason: "forged" })
      const array = JSON.stringify([1])
      const arrayUrl = `${url}&bodySHA256=${getExpectedBodyHash(array)}`
      const arrayHeaders = { ...headers, "x-twilio-signature": getExpectedTwilioSignature(token, arrayUrl, {}) }
      expect(yield* Effect.flip(callback.events(request(array, arrayHeaders, arrayUrl)))).toMatchObject({
        reason: "malformed"
      })
    })
  )

  it.effect("no signature, and no status, are refused", () =>
    Effect.gen(function* () {
      const { "x-twilio-signature": _, ...unsigned } = signed(status("sent")).headers
      expect(yield* Effect.flip(callback.events(request("", unsigned, url)))).toMatchObject({ reason: "unsigned" })
      for (const fields of [
        {},
        { MessageSid: "SM1" },
        { MessageStatus: "sent" },
        { MessageSid: "", MessageStatus: "sent" }
      ])
        expect(yield* Effect.flip(callback.events(signed(fields)))).toMatchObject({ reason: "malformed" })
    })
  )

  const word = fc.string({ unit: "grapheme", maxLength: 8 }).filter((text) => text.isWellFormed())
  const name = fc.constantFrom("A", "a", "AB", "B", "Body", "é", "MessageSid", "MessageStatus")
  const fieldsOf = fc.dictionary(name, fc.oneof(word, fc.array(word, { minLength: 2, maxLength: 4 })), {
    noNullPrototype: true
  })

  it.effect("ours and Twilio's library take the same: every form that is signed, and none with one bit changed", () =>
    holds(
      fc.tuple(fieldsOf, fc.nat({ max: 5_000 }), fc.constantFrom("nothing", "body", "signature", "url")),
      500,
      ([more, bit, what]) =>
        Effect.gen(function* () {
          const fields: Fields = { ...more, MessageSid: "SM1", MessageStatus: "sent" }
          const good = signed(fields)
          const signature = good.headers["x-twilio-signature"] ?? ""
          const sent = {
            body: what === "body" ? flipped(good.body, bit) : good.body,
            signature: what === "signature" ? flipped(Buffer.from(signature), bit).toString("latin1") : signature,
            url: what === "url" ? `https://${flipped(Buffer.from(url.slice(8)), bit).toString("latin1")}` : url
          }
          // A changed byte may leave the fields as they were: "+" and a space are the same in a form.
          const form = new URLSearchParams(Buffer.from(sent.body).toString("utf8"))
          const read = Object.fromEntries([...new Set(form.keys())].map((key) => [key, form.getAll(key)]))
          const isTheirs = URL.canParse(sent.url) && validateRequest(token, sent.signature, sent.url, read)
          const headers = { ...good.headers, "x-twilio-signature": sent.signature }
          const outcome = yield* Effect.result(callback.events(request(sent.body, headers, sent.url)))
          expect(outcome._tag === "Success").toBe(isTheirs)
          if (what === "nothing") expect(isTheirs).toBe(true)
          if (what === "signature") expect(isTheirs).toBe(false)
        })
    )
  )
})
