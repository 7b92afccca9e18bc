import { EventWebhook } from "@sendgrid/eventwebhook"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { createSign, generateKeyPairSync } from "node:crypto"
import * as SendGridCallback from "../../src/callbacks/SendGridCallback.ts"
import { flipped, holds, request } from "./CallbackFixture.ts"

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
const publicKeyText = publicKey.export({ type: "spki", format: "der" }).toString("base64")

const now = 1_800_000_000

const sign = (body: string | Uint8Array, timestamp = `${now}`): Buffer =>
  createSign("sha256").update(timestamp).update(body).sign(privateKey)

const signed = (body: string | Uint8Array, timestamp = `${now}`, signature = sign(body, timestamp)) =>
  request(body, {
    "x-twilio-email-event-webhook-signature": signature.toString("base64"),
    "x-twilio-email-event-webhook-timestamp": timestamp
  })

/** What SendGrid's own library says; it throws on signatures that are none. */
const theirs = (body: Uint8Array, timestamp: string, signature: Uint8Array): boolean => {
  const webhook = new EventWebhook()
  try {
    const key = webhook.convertPublicKeyToECDSA(publicKeyText)
    return webhook.verifySignature(key, Buffer.from(body), Buffer.from(signature).toString("base64"), timestamp)
  } catch {
    return false
  }
}

const started = Effect.gen(function* () {
  yield* TestClock.setTime(now * 1_000)
  return yield* SendGridCallback.make({ publicKey: publicKeyText })
})

const event = (name: string, more: object = {}) => ({
  email: "ada@example.com",
  timestamp: now - 5,
  event: name,
  sg_event_id: `id-of-${name}`,
  sg_message_id: "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
  delivery_id: "0199-d1",
  ...more
})

const expected: ReadonlyArray<readonly [item: object, state: string | null, code: string, detail: string | null]> = [
  [event("processed"), "sent", "processed", null],
  [event("deferred", { response: "450 busy" }), null, "deferred", "450 busy"],
  [event("delivered", { response: "250 OK" }), "delivered", "delivered", "250 OK"],
  [event("open"), "seen", "open", null],
  [event("open", { sg_machine_open: true }), "delivered", "machine_open", null],
  [event("click", { url: "https://acme.example" }), "seen", "click", null],
  [event("bounce", { type: "bounce", status: "5.1.1", reason: "550 no" }), "dead", "bounce", "5.1.1 550 no"],
  [event("bounce", { type: "blocked", reason: "550 spam" }), "dead", "blocked", "550 spam"],
  [event("dropped", { reason: "Bounced Address" }), "dead", "dropped", "Bounced Address"],
  [event("spamreport"), null, "spamreport", null],
  [event("unsubscribe"), null, "unsubscribe", null],
  [event("group_unsubscribe", { asm_group_id: 1 }), null, "group_unsubscribe", null],
  [event("of tomorrow"), null, "of tomorrow", null]
]

describe("SendGridCallback", () => {
  it.effect("every kind of event has its state", () =>
    Effect.gen(function* () {
      const callback = yield* started
      const events = yield* callback.events(signed(JSON.stringify(expected.map(([item]) => item))))
      expect(events.map(({ code, detail, state }) => [state, code, detail])).toEqual(
        expected.map(([, state, code, detail]) => [state, code, detail])
      )
      expect(events[2]).toEqual({
        provider: "sendgrid",
        eventKey: "id-of-delivered",
        deliveryId: "0199-d1",
        providerMessageId: "14c5d75ce93.dfd.64b469",
        state: "delivered",
        code: "delivered",
        detail: "250 OK",
        at: DateTime.makeUnsafe((now - 5) * 1_000)
      })
    })
  )

  it.effect("broken events of a batch cost the others nothing", () =>
    Effect.gen(function* () {
      const callback = yield* started
      const batch = [
        null,
        "text",
        event("open", { sg_event_id: undefined }),
        event("open", { timestamp: "yesterday" }),
        event("open", { timestamp: 1e300 }),
        event("open", { sg_event_id: "x".repeat(300) }),
        event("delivered", { delivery_id: { $ne: 1 }, sg_message_id: 5, response: "a\u0000b\ud800" }),
        event("click")
      ]
      const events = yield* callback.events(signed(JSON.stringify(batch)))
      expect(events.map(({ code }) => code)).toEqual(["delivered", "click"])
      expect(events[0]).not.toHaveProperty("deliveryId")
      expect(events[0]).not.toHaveProperty("providerMessageId")
      expect(events[0]?.detail).toBe("a\ufffdb\ufffd")
    })
  )

  it.effect("a signature is good for 25 hours: as long as SendGrid tries, and not much longer", () =>
    Effect.gen(function* () {
      const callback = yield* started
      const at = (timestamp: number | string) => callback.events(signed("[]", `${timestamp}`))
      expect(yield* at(now - 24 * 3_600)).toEqual([])
      expect(yield* at(now + 500)).toEqual([])
      expect(yield* Effect.flip(at(now - 25 * 3_600 - 1))).toMatchObject({ reason: "stale" })
      expect(yield* Effect.flip(at(now + 601))).toMatchObject({ reason: "stale" })
      expect(yield* Effect.flip(at("soon"))).toMatchObject({ reason: "malformed" })
    })
  )

  it.effect("what is not signed, and what is no batch, is refused", () =>
    Effect.gen(function* () {
      const callback = yield* started
      const { headers } = signed("[]")
      const signature = { ...headers, "x-twilio-email-event-webhook-timestamp": undefined }
      const timestamp = { ...headers, "x-twilio-email-event-webhook-signature": undefined }
      for (const some of [{}, signature, timestamp])
        expect(yield* Effect.flip(callback.events(request("[]", some)))).toMatchObject({ reason: "unsigned" })
      for (const body of ["", "{}", "[", "null"])
        expect(yield* Effect.flip(callback.events(signed(body)))).toMatchObject({ reason: "malformed" })
      for (const signatureText of ["", "!!", "MEUCIQ==", Buffer.alloc(72).toString("base64")]) {
        const forged = request("[]", { ...headers, "x-twilio-email-event-webhook-signature": signatureText })
        expect(yield* Effect.flip(callback.events(forged))).toMatchObject({ reason: "forged" })
      }
    })
  )

  it.effect("what SendGrid's library takes, and nothing with one bit changed", () =>
    holds(
      fc.tuple(
        fc.uint8Array({ maxLength: 60 }),
        fc.nat({ max: 4_000 }),
        fc.constantFrom("nothing", "body", "signature", "timestamp")
      ),
      60,
      ([bytes, bit, what]) =>
        Effect.gen(function* () {
          const callback = yield* started
          // Their library reads the body as UTF-8, and so what is signed has to be.
          const body = Buffer.from(JSON.stringify([Buffer.from(bytes).toString("utf8")]))
          const timestamp = `${now}`
          const signature = sign(body)
          const sent = {
            body: what === "body" ? flipped(body, bit) : body,
            signature: what === "signature" ? flipped(signature, bit) : signature,
            timestamp: what === "timestamp" ? flipped(Buffer.from(timestamp), bit % 80).toString("latin1") : timestamp
          }
          const outcome = yield* Effect.result(callback.events(signed(sent.body, sent.timestamp, sent.signature)))
          const isOurs = outcome._tag === "Success"
          expect(isOurs).toBe(what === "nothing")
          // Their library overlooks some changes of how a signature is written; ours none.
          if (what !== "signature") expect(theirs(sent.body, sent.timestamp, sent.signature)).toBe(what === "nothing")
          if (outcome._tag === "Failure") expect(outcome.failure.reason).toBe("forged")
        })
    )
  )

  it.effect("only a key on P-256 is taken", () =>
    Effect.gen(function* () {
      const other = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ type: "spki", format: "der" })
      for (const key of ["", "nonsense", other.toString("base64")])
        expect(yield* Effect.flip(SendGridCallback.make({ publicKey: key }))).toMatchObject({
          _tag: "SendGridKeyInvalid"
        })
    })
  )
})
