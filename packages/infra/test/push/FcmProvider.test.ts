import { describe, expect, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Redacted, Scope } from "effect"
import { generateKeyPairSync } from "node:crypto"
import * as FcmProvider from "../../src/push/FcmProvider.ts"
import { accountOf, fcmError, startFcm } from "./FakeFcm.ts"
import type { FakeFcm } from "./FakeFcm.ts"
import { drip, half, hang, json, reset, text } from "./LoopbackTls.ts"
import type { Reply } from "./LoopbackTls.ts"
import { messageTo, outgoing, toDevice } from "./PushFixture.ts"

const settingsOf = (fcm: FakeFcm, changes: Partial<FcmProvider.FcmSettings> = {}): FcmProvider.FcmSettings => ({
  serviceAccount: fcm.account,
  connectTo: { host: "127.0.0.1", port: fcm.port, ca: fcm.ca },
  timeout: "5 seconds",
  ...changes
})

const started = Effect.fnUntraced(function* (changes: Partial<FcmProvider.FcmSettings> = {}) {
  const fcm = yield* startFcm
  return { fcm, provider: yield* FcmProvider.make(settingsOf(fcm, changes)) }
})

const to = (token: string) => outgoing(messageTo(toDevice(token)))

const entityNotFound = fcmError(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED")
const badToken = fcmError(
  400,
  "INVALID_ARGUMENT",
  "The registration token is not a valid FCM registration token",
  "INVALID_ARGUMENT"
)
const badTokenField = fcmError(400, "INVALID_ARGUMENT", "Invalid registration", "INVALID_ARGUMENT", {}, [
  "message.token"
])
const badImage = fcmError(400, "INVALID_ARGUMENT", "Invalid URL", "INVALID_ARGUMENT", {}, [
  "message.notification.image"
])
const both = fcmError(400, "INVALID_ARGUMENT", "Invalid value", "INVALID_ARGUMENT", {}, [
  "message.token",
  "message.notification.image"
])
const quota = (headers?: Record<string, string>) =>
  fcmError(429, "RESOURCE_EXHAUSTED", "Quota exceeded", "QUOTA_EXCEEDED", headers)
const unavailable = (headers?: Record<string, string>) =>
  fcmError(503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE", headers)
const senderMismatch = fcmError(403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH")
const apnsRefused = fcmError(401, "UNAUTHENTICATED", "Auth error from APNS", "THIRD_PARTY_AUTH_ERROR")

const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Enough for a request that would go out to be on its way. */
const someTurns = Effect.forEach(Array.from({ length: 50 }), () => turn, { discard: true })

const until = (arrived: () => boolean): Effect.Effect<void> =>
  Effect.flatMap(turn, () => (arrived() ? Effect.void : until(arrived)))

const seconds = Duration.seconds

/** What FCM does with the message, and what the worker must make of it. */
const fates: ReadonlyArray<
  readonly [name: string, reply: Reply, failureClass: string, code: string, retryAfter?: Duration.Duration]
> = [
  ["a token that is not registered any more", entityNotFound, "unreachable", "UNREGISTERED"],
  ["a token that never was one", badToken, "unreachable", "INVALID_TOKEN"],
  ["a token that a field violation names", badTokenField, "unreachable", "INVALID_TOKEN"],
  ["an image that is no URL", badImage, "permanent", "INVALID_ARGUMENT"],
  ["faults in the token and elsewhere", both, "permanent", "INVALID_ARGUMENT"],
  ["a 400 without JSON", text(400, "<html>"), "permanent", "http_400"],
  ["a project that is not there", fcmError(404, "NOT_FOUND", "Not found."), "credentials", "NOT_FOUND"],
  ["a page that is not there", text(404, "<html>"), "credentials", "http_404"],
  ["a token of another sender", senderMismatch, "permanent", "SENDER_ID_MISMATCH"],
  ["an account without the right", fcmError(403, "PERMISSION_DENIED", "Denied"), "credentials", "PERMISSION_DENIED"],
  ["a wrong APNs certificate", apnsRefused, "credentials", "THIRD_PARTY_AUTH_ERROR"],
  ["a quota without Retry-After", quota(), "throttled", "QUOTA_EXCEEDED"],
  ["a quota with Retry-After", quota({ "retry-after": "17" }), "throttled", "QUOTA_EXCEEDED", seconds(17)],
  ["a 503", unavailable(), "transient", "UNAVAILABLE"],
  ["a 503 with Retry-After", unavailable({ "retry-after": "30" }), "transient", "UNAVAILABLE", seconds(30)],
  ["a 500", fcmError(500, "INTERNAL", "Internal error", "INTERNAL"), "transient", "INTERNAL"],
  ["a 502 without JSON", text(502, "Bad Gateway"), "transient", "http_502"],
  ["a redirect", text(302, "", { location: "https://example.com/" }), "transient", "http_302"],
  ["a reset in the middle", reset, "transient", "connection"],
  ["half an answer", half, "transient", "connection"],
  ["an answer that is no JSON", text(200, "{nam"), "transient", "bad_answer"],
  ["an answer without a name", json(200, {}), "transient", "bad_answer"],
  ["an answer that is empty", text(200, ""), "transient", "bad_answer"]
]

describe("FcmProvider", () => {
  it.live("one batch: each message has its own outcome, and FCM sees each exactly once", () =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started()
      fates.forEach(([name, reply]) => fcm.fates.set(name, reply))
      const batch = [to("taken"), ...fates.map(([name]) => to(name)), to("taken too")]
      const outcomes = yield* provider.send(batch)
      expect(outcomes[0]).toEqual({ _tag: "Sent", providerMessageId: "projects/beckon-test/messages/1" })
      expect(outcomes.at(-1)).toMatchObject({ _tag: "Sent" })
      const failures = outcomes.slice(1, -1)
      expect(failures).toHaveLength(fates.length)
      failures.forEach((outcome, index) => {
        const [name, , failureClass, code, retryAfter] = fates[index] ?? []
        expect({ name, ...outcome }).toMatchObject({ name, _tag: "Failed", class: failureClass, code })
        expect({ name, wait: "retryAfter" in outcome ? outcome.retryAfter : undefined }).toEqual({
          name,
          wait: retryAfter
        })
      })
      const seen = fcm.sends.map(({ token }) => token)
      expect(seen).toHaveLength(batch.length)
      expect(new Set(seen)).toEqual(new Set(["taken", "taken too", ...fates.map(([name]) => name)]))
      expect(fcm.grants()).toBe(1)
    })
  )

  it.live("500 messages are one call and keep their order over few connections", () =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started({ connections: 20, timeout: "20 seconds" })
      fcm.fates.set("t-250", entityNotFound)
      const outcomes = yield* provider.send(Array.from({ length: 500 }, (_, index) => to(`t-${index}`)))
      expect(outcomes.map(({ _tag }) => _tag).indexOf("Failed")).toBe(250)
      expect(outcomes.filter(({ _tag }) => _tag === "Sent")).toHaveLength(499)
      expect(fcm.sends).toHaveLength(500)
      expect(fcm.opened()).toBeLessThanOrEqual(21)
    })
  )

  it.live.each([
    ["hangs", hang],
    ["drips", drip]
  ] as const)("a service that %s costs one time limit, and the others of the batch keep their outcome", ([, fate]) =>
    Effect.gen(function* () {
      const fcm = yield* startFcm
      const scope = yield* Scope.make()
      const provider = yield* FcmProvider.make(settingsOf(fcm, { timeout: "400 millis", connections: 2 })).pipe(
        Scope.provide(scope)
      )
      for (const name of ["slow-1", "slow-2", "slow-3"]) fcm.fates.set(name, fate)
      yield* provider.send([to("warm")])
      const before = yield* Clock.currentTimeMillis
      const outcomes = yield* provider.send(["fine", "slow-1", "slow-2", "slow-3", "late"].map(to))
      const took = (yield* Clock.currentTimeMillis) - before
      expect(outcomes.map((outcome) => (outcome._tag === "Sent" ? "sent" : outcome.code))).toEqual([
        "sent",
        "timeout",
        "timeout",
        "timeout",
        "timeout"
      ])
      expect(took).toBeLessThan(1_500)
      // Those whose turn never came were not sent behind the caller's back.
      yield* Scope.close(scope, Exit.void)
      yield* fcm.quiet
      expect(fcm.sends).toHaveLength(4)
      expect(new Set(fcm.sends.map(({ token }) => token))).toEqual(new Set(["warm", "fine", "slow-1", "slow-2"]))
    })
  )

  it.live(
    "a message whose sender stopped waiting before its turn is never sent, and what hung gives its place back",
    () =>
      Effect.gen(function* () {
        const { fcm, provider } = yield* started({ timeout: "600 millis", connections: 2 })
        fcm.fates.set("hangs", hang)
        fcm.fates.set("drips", drip)
        const first = yield* Effect.forkChild(provider.send(["hangs", "drips"].map(to)))
        yield* until(() => fcm.sends.length === 2)
        const second = yield* Effect.forkChild(provider.send(["called off", "called off too"].map(to)))
        yield* someTurns
        yield* Fiber.interrupt(second)
        expect(yield* Fiber.join(first)).toMatchObject([{ code: "timeout" }, { code: "timeout" }])
        expect(yield* provider.send([to("next"), to("last")])).toMatchObject([{ _tag: "Sent" }, { _tag: "Sent" }])
        expect(new Set(fcm.sends.map(({ token }) => token))).toEqual(new Set(["hangs", "drips", "next", "last"]))
      })
  )

  it.live("a service that nobody answers for is a lost connection", () =>
    Effect.gen(function* () {
      const fcm = yield* startFcm
      const provider = yield* FcmProvider.make(settingsOf(fcm, { connectTo: { host: "127.0.0.1", port: 1 } }))
      expect(yield* provider.send([to("a"), to("b")])).toMatchObject([
        { class: "transient", code: "connection", detail: "the connection failed: ECONNREFUSED" },
        { class: "transient", code: "connection" }
      ])
    })
  )

  it.live("a certificate of a stranger gets no message and no assertion", () =>
    Effect.gen(function* () {
      const fcm = yield* startFcm
      const provider = yield* FcmProvider.make(settingsOf(fcm, { connectTo: { host: "127.0.0.1", port: fcm.port } }))
      expect(yield* provider.send([to("a")])).toMatchObject([{ class: "transient", code: "connection" }])
      expect(fcm.grants()).toBe(0)
    })
  )

  it.live.each([
    [
      "refuses the grant",
      json(400, { error: "invalid_grant", error_description: "No." }),
      "credentials",
      "invalid_grant"
    ],
    ["does not know the account", json(401, { error: "invalid_client" }), "credentials", "invalid_client"],
    ["is not where the account says", text(404, "<html>"), "credentials", "http_404"],
    ["asks to slow down", text(429, "", { "retry-after": "5" }), "throttled", "http_429"],
    ["is out of order", text(503, "oops"), "transient", "http_503"],
    ["answers no JSON", text(200, '{"access'), "transient", "bad_answer"],
    ["answers no token", json(200, { expires_in: 1 }), "transient", "bad_answer"],
    ["breaks in the middle", reset, "transient", "connection"],
    ["answers by half", half, "transient", "connection"],
    ["hangs", hang, "transient", "timeout"],
    ["drips", drip, "transient", "timeout"]
  ] as const)("a token endpoint that %s is asked once, and no message goes out", ([, fate, failureClass, code]) =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started({ timeout: "400 millis" })
      fcm.tokenFate = fate
      const outcomes = yield* provider.send([to("a"), to("b")])
      expect(outcomes).toMatchObject([
        { class: failureClass, code },
        { class: failureClass, code }
      ])
      expect([fcm.grants(), fcm.sends.length]).toEqual([1, 0])
      fcm.tokenFate = undefined
      expect(yield* provider.send([to("a")])).toMatchObject([{ _tag: "Sent" }])
    })
  )

  it.live("a key that Google does not know is an alarm about our account", () =>
    Effect.gen(function* () {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
      const stranger = accountOf({ private_key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() })
      const { provider } = yield* started({ serviceAccount: stranger })
      expect(yield* provider.send([to("a")])).toMatchObject([{ class: "credentials", code: "invalid_grant" }])
    })
  )

  it.live("a token is fetched again near its end, and after FCM refused it", () =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started()
      yield* provider.send([to("a")])
      yield* provider.send([to("a")])
      expect(fcm.grants()).toBe(1)
      fcm.revoke()
      expect(yield* provider.send([to("a")])).toMatchObject([{ class: "credentials", code: "UNAUTHENTICATED" }])
      fcm.tokenLife = 60
      expect(yield* provider.send([to("a")])).toMatchObject([{ _tag: "Sent" }])
      expect(yield* provider.send([to("a")])).toMatchObject([{ _tag: "Sent" }])
      expect(fcm.grants()).toBe(3)
    })
  )

  it.live("data over the limit never leaves, and FCM's refusal is told without the token", () =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started()
      fcm.fates.set(
        "secret-token",
        fcmError(400, "INVALID_ARGUMENT", "Bad thing with secret-token", "INVALID_ARGUMENT")
      )
      const large = outgoing(messageTo(toDevice("t"), { data: { data: "x".repeat(4_093) } }))
      const outcomes = yield* provider.send([large, to("secret-token")])
      expect(outcomes).toMatchObject([
        { class: "permanent", code: "data_too_large", detail: "the push data has 4097 bytes, and the limit is 4096" },
        { class: "permanent", detail: "FCM answered 400: Bad thing with …" }
      ])
      expect(fcm.sends).toHaveLength(1)
    })
  )

  it.live("what firebase-admin itself refuses is permanent", () =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started()
      const batch = [
        outgoing(messageTo(toDevice("t"), { options: { imageUrl: "not a URL" } })),
        outgoing(messageTo({ _tag: "Topic", topic: "no spaces here" }))
      ]
      expect(yield* provider.send(batch)).toMatchObject([
        { class: "permanent", code: "invalid-payload" },
        { class: "permanent", code: "invalid-payload" }
      ])
      expect(fcm.sends).toEqual([])
    })
  )

  it.live("closing with messages on the way ends every connection at once, and keeps no timer", () =>
    Effect.gen(function* () {
      const fcm = yield* startFcm
      for (const name of ["a", "b", "c"]) fcm.fates.set(name, hang)
      const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
      const scope = yield* Scope.make()
      const provider = yield* FcmProvider.make(settingsOf(fcm, { timeout: "1 minute" })).pipe(Scope.provide(scope))
      yield* provider.send([to("fine")])
      const before = timers()
      const sending = yield* Effect.forkChild(provider.send(["a", "b", "c"].map(to)))
      yield* until(() => fcm.sends.length === 4)
      yield* Fiber.interrupt(sending)
      const closing = yield* Clock.currentTimeMillis
      yield* Scope.close(scope, Exit.void)
      yield* fcm.quiet
      expect((yield* Clock.currentTimeMillis) - closing).toBeLessThan(1_000)
      expect(timers()).toBeLessThanOrEqual(before)
    })
  )

  it.live("topics: devices come and go, a dead one is told, and a refusal of our account is no one's death", () =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started()
      const tokens = ["a", "dead", "c", "slow down"].map((token) => Redacted.make(token))
      fcm.fates.set("dead", entityNotFound)
      fcm.fates.set("slow down", quota())
      expect(yield* provider.topics.subscribe(tokens, "news")).toEqual({
        changed: 2,
        refused: [
          {
            index: 1,
            class: "unreachable",
            code: "UNREGISTERED",
            detail: "FCM answered 404: Requested entity was not found."
          },
          { index: 3, class: "throttled", code: "QUOTA_EXCEEDED", detail: "FCM answered 429: Quota exceeded" }
        ]
      })
      expect(yield* provider.topics.unsubscribe(tokens.slice(0, 1), "news")).toEqual({ changed: 1, refused: [] })
      expect(fcm.topicCalls).toHaveLength(5)
      expect(fcm.topicCalls).toEqual(
        expect.arrayContaining(["POST a news", "POST dead news", "POST c news", "POST slow down news", "DELETE a news"])
      )
      fcm.revoke()
      expect(yield* provider.topics.subscribe(tokens.slice(0, 1), "news")).toMatchObject({
        changed: 0,
        refused: [{ class: "credentials", code: "UNAUTHENTICATED" }]
      })
      fcm.tokenFate = json(400, { error: "invalid_grant" })
      expect(yield* Effect.flip(provider.topics.subscribe(tokens, "news"))).toMatchObject({
        _tag: "PushRefused",
        class: "credentials"
      })
    })
  )

  it.live("a topic's message goes to all platforms, to the topic", () =>
    Effect.gen(function* () {
      const { fcm, provider } = yield* started()
      expect(yield* provider.send([outgoing(messageTo({ _tag: "Topic", topic: "news" }))])).toMatchObject([
        { _tag: "Sent" }
      ])
      expect(fcm.sends[0]).toMatchObject({ topic: "news", android: {}, apns: {}, webpush: {} })
    })
  )

  it.live("two clients of one account live and die apart", () =>
    Effect.gen(function* () {
      const fcm = yield* startFcm
      const first = yield* Scope.make()
      const one = yield* FcmProvider.make(settingsOf(fcm)).pipe(Scope.provide(first))
      const two = yield* FcmProvider.make(settingsOf(fcm))
      yield* one.send([to("a")])
      yield* Scope.close(first, Exit.void)
      expect(yield* two.send([to("b")])).toMatchObject([{ _tag: "Sent" }])
    })
  )

  it.live.each([
    ["no JSON", Redacted.make("{")],
    ["another kind of account", accountOf({ type: "authorized_user" })],
    ["no key", accountOf({ private_key: "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n" })],
    ["a token endpoint without TLS", accountOf({ token_uri: "http://oauth2.googleapis.com/token" })]
  ] as const)("an account that is %s is refused at the start, without quoting it", ([, serviceAccount]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(FcmProvider.make({ serviceAccount }))
      expect(error._tag).toBe("FcmSettingsInvalid")
      expect(error.message).not.toContain("secret")
    })
  )
})
