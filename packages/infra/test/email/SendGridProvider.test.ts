import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as SendGridProvider from "../../src/email/SendGridProvider.ts"
import * as Loopback from "../http/LoopbackHttp.ts"
import { emailTo, outgoing } from "./EmailFixture.ts"

const apiKey = Redacted.make("SG.key-of-acme")

const started = Effect.gen(function* () {
  const server = yield* Loopback.start
  const provider = yield* SendGridProvider.make({
    apiKey,
    from: "Acme <no-reply@acme.example>",
    baseUrl: server.url,
    timeout: "5 seconds"
  })
  return { server, provider }
})

const errors = (...list: ReadonlyArray<{ readonly message: string; readonly field?: string | null }>) => ({
  errors: list
})

const failures: ReadonlyArray<
  readonly [what: string, reply: Loopback.Reply, failureClass: string, code: string, seconds?: number]
> = [
  ["a refused key", Loopback.json(401, errors({ message: "bad key SG.key-of-acme" })), "credentials", "http_401"],
  ["an unverified sender", Loopback.json(403, errors({ message: "verify", field: "from" })), "credentials", "http_403"],
  ["a wrong base URL", Loopback.text(404, "not found"), "credentials", "http_404"],
  ["a bad field", Loopback.json(400, errors({ message: "no", field: "content.0.value" })), "permanent", "http_400"],
  ["too large", Loopback.text(413, ""), "permanent", "http_413"],
  ["429", Loopback.text(429, ""), "throttled", "http_429"],
  ["429 with Retry-After", Loopback.text(429, "", { "retry-after": "7" }), "throttled", "http_429", 7],
  ["429 with a reset", Loopback.text(429, "", { "x-ratelimit-reset": "1030" }), "throttled", "http_429", 30],
  ["429 with a past reset", Loopback.text(429, "", { "x-ratelimit-reset": "990" }), "throttled", "http_429"],
  ["500", Loopback.text(500, "<html>"), "transient", "http_500"],
  ["503 with Retry-After", Loopback.text(503, "", { "retry-after": "9" }), "transient", "http_503", 9],
  ["a redirect", Loopback.text(302, "", { location: "/elsewhere" }), "transient", "http_302"],
  ["a reset connection", Loopback.reset, "transient", "connection"]
]

describe("SendGridProvider", () => {
  it.live("one message: the delivery's id, our headers, and the id that SendGrid gives", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      server.prepare(Loopback.text(202, "", { "x-message-id": "msg-1" }))
      const message = emailTo("Ada <ada@example.com>", {
        subject: "Hi\r\nBcc: eve@example.com",
        replyTo: "help@acme.example",
        unsubscribeUrl: "https://acme.example/u"
      })
      const outcomes = yield* provider.send([outgoing(message, "0199-d1")])
      expect(outcomes).toMatchObject([{ _tag: "Sent", providerMessageId: "msg-1" }])
      const [request] = server.seen
      expect(request).toMatchObject({
        method: "POST",
        path: "/v3/mail/send",
        headers: { authorization: "Bearer SG.key-of-acme", "content-type": "application/json" }
      })
      expect(JSON.parse(request?.body ?? "")).toEqual({
        personalizations: [
          { to: [{ email: "ada@example.com", name: "Ada" }], custom_args: { delivery_id: "0199-d1" } }
        ],
        from: { email: "no-reply@acme.example", name: "Acme" },
        reply_to: { email: "help@acme.example" },
        subject: "Hi Bcc: eve@example.com",
        content: [
          { type: "text/plain", value: "It comes at 18:40." },
          { type: "text/html", value: "<p>It comes at <b>18:40</b>.</p>" }
        ],
        headers: {
          "Message-ID": "<0199-d1@acme.example>",
          "X-Beckon-Delivery": "0199-d1",
          "List-Unsubscribe": "<https://acme.example/u>",
          "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"
        }
      })
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.effect.each(failures)("%s", ([, reply, failureClass, code, seconds]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      const { provider, server } = yield* started
      server.prepare(reply)
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({ _tag: "Failed", class: failureClass, code })
      const wait = outcome?._tag === "Failed" ? outcome.retryAfter : undefined
      expect(wait === undefined ? undefined : Duration.toSeconds(wait)).toBe(seconds)
      expect(JSON.stringify(outcome)).not.toContain("key-of-acme")
      expect(server.seen).toHaveLength(1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("the names of the refused fields are in the detail", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      server.prepare(
        Loopback.json(400, errors({ message: "too long", field: "subject" }, { message: "odd", field: null }))
      )
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({ detail: "SendGrid answered 400: subject: too long; odd" })
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("a bad address is refused without asking SendGrid", () =>
    Effect.gen(function* () {
      const { provider, server } = yield* started
      const [outcome] = yield* provider.send([outgoing(emailTo("a@example.com, b@example.com"))])
      expect(outcome).toMatchObject({ class: "unreachable", code: "invalid_address" })
      expect(server.seen).toEqual([])
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.effect.each([{ from: "nobody" }, { baseUrl: "nowhere" }] as const)("settings %o are refused", (wrong) =>
    Effect.gen(function* () {
      const settings = { apiKey, from: "no-reply@acme.example", ...wrong }
      const error = yield* Effect.flip(SendGridProvider.make(settings))
      expect(error._tag).toBe("SendGridSettingsInvalid")
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )
})
