import { describe, expect, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Redacted, Scope } from "effect"
import webPush from "web-push"
import { BoundedAgent } from "../../src/push/BoundedAgent.ts"
import * as WebPushProvider from "../../src/push/WebPushProvider.ts"
import { makeBrowser, startPushService } from "./FakePushService.ts"
import type { FakePushService } from "./FakePushService.ts"
import { drip, flood, half, hang, reset, text } from "./LoopbackTls.ts"
import type { Reply } from "./LoopbackTls.ts"
import { messageTo, outgoing, toDevice } from "./PushFixture.ts"

const keys = webPush.generateVAPIDKeys()
const vapid = {
  subject: "mailto:ops@example.com",
  publicKey: keys.publicKey,
  privateKey: Redacted.make(keys.privateKey)
}

const provide = (service: FakePushService, changes: Partial<WebPushProvider.WebPushSettings> = {}) =>
  Effect.gen(function* () {
    const agent = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new BoundedAgent({
            limit: 60_000,
            maxSockets: 50,
            connectTo: { host: "127.0.0.1", port: service.port, ca: service.ca }
          })
      ),
      (made) => Effect.sync(() => made.destroy())
    )
    return yield* WebPushProvider.make({ ...vapid, agent, timeout: "5 seconds", ...changes })
  })

const started = Effect.fnUntraced(function* (changes: Partial<WebPushProvider.WebPushSettings> = {}) {
  const service = yield* startPushService(keys.publicKey)
  return { service, provider: yield* provide(service, changes) }
})

const to = (path: string, changes: Parameters<typeof messageTo>[1] = {}) => {
  const { token } = makeBrowser(path)
  return outgoing(messageTo({ _tag: "Device", platform: "web", token }, changes))
}

const fates: ReadonlyArray<
  readonly [path: string, reply: Reply, failureClass: string, code: string, retryAfter?: Duration.Duration]
> = [
  ["gone", text(410, ""), "unreachable", "UNREGISTERED"],
  ["unknown", text(404, ""), "unreachable", "UNREGISTERED"],
  ["too-large", text(413, ""), "permanent", "payload_too_large"],
  ["bad", text(400, "bad"), "permanent", "http_400"],
  ["unauthorized", text(401, ""), "credentials", "http_401"],
  ["forbidden", text(403, ""), "permanent", "http_403"],
  ["slow-down", text(429, ""), "throttled", "http_429"],
  ["slow-down-17", text(429, "", { "retry-after": "17" }), "throttled", "http_429", Duration.seconds(17)],
  ["broken", text(500, ""), "transient", "http_500"],
  ["away", text(503, "", { "retry-after": "30" }), "transient", "http_503", Duration.seconds(30)],
  ["moved", text(307, "", { location: "https://127.0.0.1/" }), "transient", "http_307"],
  ["reset", reset, "transient", "connection"],
  ["flood", flood, "transient", "connection"]
]

describe("WebPushProvider", () => {
  it.live("the browser opens what was sent, signed and sealed for it alone", () =>
    Effect.gen(function* () {
      const { provider, service } = yield* started()
      const browser = makeBrowser("one")
      const message = messageTo(
        { _tag: "Device", platform: "web", token: browser.token },
        { options: { link: "https://example.com/o/1", ttlSeconds: 60, collapseKey: "order-1" } }
      )
      expect(yield* provider.send([outgoing(message)])).toEqual([
        { _tag: "Sent", providerMessageId: null, code: "201" }
      ])
      const [push] = service.pushes
      expect(JSON.parse(browser.open(push?.body ?? Buffer.alloc(0)))).toEqual({
        title: message.title,
        body: message.body,
        tag: "order-1",
        link: "https://example.com/o/1",
        data: message.data
      })
      expect(push?.headers).toMatchObject({ ttl: "60", urgency: "high", "content-encoding": "aes128gcm" })
      expect(push?.headers["topic"]).toMatch(/^[\w-]{32}$/)
    })
  )

  it.live("one batch: each push has its own outcome, and the service sees each exactly once", () =>
    Effect.gen(function* () {
      const { provider, service } = yield* started()
      fates.forEach(([path, reply]) => service.fates.set(path, reply))
      const outcomes = yield* provider.send([...fates.map(([path]) => to(path)), to("taken")])
      expect(outcomes.at(-1)).toMatchObject({ _tag: "Sent" })
      outcomes.slice(0, -1).forEach((outcome, index) => {
        const [path, , failureClass, code, retryAfter] = fates[index] ?? []
        expect({ path, ...outcome }).toMatchObject({ path, _tag: "Failed", class: failureClass, code })
        expect({ path, wait: "retryAfter" in outcome ? outcome.retryAfter : undefined }).toEqual({
          path,
          wait: retryAfter
        })
      })
      expect(service.pushes).toHaveLength(fates.length + 1)
    })
  )

  it.live.each([
    ["hangs", hang],
    ["drips", drip]
  ] as const)("a service that %s costs one time limit for the whole batch", ([, fate]) =>
    Effect.gen(function* () {
      const { provider, service } = yield* started({ timeout: "300 millis", connections: 2 })
      for (const path of ["a", "b", "c", "d"]) service.fates.set(path, fate)
      const before = yield* Clock.currentTimeMillis
      const outcomes = yield* provider.send(["a", "b", "c", "d"].map((path) => to(path)))
      expect(outcomes.map((outcome) => (outcome._tag === "Sent" ? "sent" : outcome.code))).toEqual(
        Array.from({ length: 4 }, () => "timeout")
      )
      expect((yield* Clock.currentTimeMillis) - before).toBeLessThan(1_000)
      // The requests ended with the limit, and those whose turn never came were not made.
      yield* service.quiet
      expect(service.pushes).toHaveLength(2)
    })
  )

  it.live("half an answer after a good head is a lost connection", () =>
    Effect.gen(function* () {
      const { provider, service } = yield* started()
      service.fates.set("half", half)
      expect(yield* provider.send([to("half")])).toMatchObject([{ class: "transient", code: "connection" }])
    })
  )

  it.live("an endpoint of somebody's own is never called", () =>
    Effect.gen(function* () {
      const { provider, service } = yield* started()
      const endpoints = [
        "http://updates.push.services.mozilla.com/x",
        "https://updates.push.services.mozilla.com:8443/x",
        "https://user@updates.push.services.mozilla.com/x",
        "https://updates.push.services.mozilla.com.example.com/x",
        "https://push.apple.com.example.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "file:///etc/passwd",
        "x"
      ]
      const batch = endpoints.map((endpoint) => {
        const subscription = JSON.parse(Redacted.value(makeBrowser("x").token)) as { readonly keys: unknown }
        return outgoing(messageTo(toDevice(JSON.stringify({ ...subscription, endpoint }), "web")))
      })
      const outcomes = yield* provider.send(batch)
      for (const outcome of outcomes) expect(outcome).toMatchObject({ class: "permanent", code: "endpoint_refused" })
      expect(service.opened()).toBe(0)
    })
  )

  it.live("keys that are none are a dead subscription; what is too large stays here", () =>
    Effect.gen(function* () {
      const { provider, service } = yield* started()
      const broken = { endpoint: "https://updates.push.services.mozilla.com/x", keys: { p256dh: "BAD", auth: "x" } }
      const fits = JSON.stringify({ title: "", body: "", data: { d: "" } }).length
      const outcomes = yield* provider.send([
        outgoing(messageTo(toDevice(JSON.stringify(broken), "web"))),
        to("x", { title: "", body: "", data: { d: "x".repeat(3_994 - fits) } }),
        to("x", { title: "", body: "", data: { d: "x".repeat(3_993 - fits) } })
      ])
      expect(outcomes).toMatchObject([
        { class: "unreachable", code: "INVALID_TOKEN" },
        { class: "permanent", code: "data_too_large", detail: "the push has 3994 bytes, and the limit is 3993" },
        { _tag: "Sent" }
      ])
      expect(service.pushes.map(({ body }) => body.length)).toEqual([4_096])
    })
  )

  it.live("it takes subscriptions of browsers, and nothing else", () =>
    Effect.gen(function* () {
      const { provider } = yield* started()
      const { token } = makeBrowser("x")
      expect(provider.accepts(messageTo({ _tag: "Device", platform: "web", token }))).toBe(true)
      expect(provider.accepts(messageTo({ _tag: "Device", platform: "ios", token }))).toBe(false)
      expect(provider.accepts(messageTo(toDevice("an FCM token", "web")))).toBe(false)
      expect(provider.accepts(messageTo({ _tag: "Topic", topic: "news" }))).toBe(false)
    })
  )

  it.live("closing ends the connections of its own agent", () =>
    Effect.gen(function* () {
      const service = yield* startPushService(keys.publicKey)
      const scope = yield* Scope.make()
      const provider = yield* provide(service).pipe(Scope.provide(scope))
      yield* provider.send([to("a"), to("b")])
      expect(service.sockets.size).toBe(2)
      yield* Scope.close(scope, Exit.void)
      yield* service.quiet
    })
  )

  it.effect("keys of two pairs, and a subject that nobody can write to, are refused at the start", () =>
    Effect.gen(function* () {
      const other = webPush.generateVAPIDKeys()
      const settings: ReadonlyArray<Partial<WebPushProvider.WebPushSettings>> = [
        { privateKey: Redacted.make(other.privateKey) },
        { privateKey: Redacted.make("short") },
        { publicKey: "short" },
        { subject: "ops" }
      ]
      for (const changes of settings) {
        const error = yield* Effect.flip(WebPushProvider.make({ ...vapid, ...changes }))
        expect(error._tag).toBe("WebPushSettingsInvalid")
        expect(error.message).not.toContain(other.privateKey)
      }
    })
  )
})
