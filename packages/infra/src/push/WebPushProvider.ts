/**
 * Push to browsers by the Web Push protocol (RFC 8030, 8291, 8292), for those whose push service is not FCM's.
 *
 * **Details**
 *
 * `web-push` encrypts and signs; the request is made here, because its own waits for ever when an answer breaks off, and reads
 * answers of any length. Push services are asked one message at a time.
 *
 * **Gotchas**
 *
 * A subscription is written by the client, and so is its endpoint: anybody could name a server of his own that answers 403 to raise an alarm
 * about our keys, or an address inside the network. Only the hosts of known push services are called; `agent` should
 * refuse private addresses all the same.
 */
import { Clock, Duration, Effect, Redacted, Schema } from "effect"
import type { Scope } from "effect"
import { createECDH } from "node:crypto"
import type { Agent } from "node:https"
import type { SendOutcome } from "@beckon/domain/Delivery"
import type { ChannelProvider, Outgoing, PushMessage } from "@beckon/domain/ports/ChannelProvider"
import { BoundedAgent } from "./BoundedAgent.ts"
import { until } from "./CallLimit.ts"
import { collapseKeyOf, defaultTtlSeconds, webTopicOf } from "./FcmMessage.ts"
import { httpsPost } from "./HttpsPost.ts"
import type { Answer } from "./HttpsPost.ts"
import { failed, ofStatus, unanswered } from "../http/ProviderFailure.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { subscriptionOf } from "./WebSubscription.ts"
import type { WebSubscription } from "./WebSubscription.ts"

/** Hosts of the push services of Chrome and its kin, Firefox, Safari and Edge; a dot at the front takes all hosts below. */
export const browserPushHosts: ReadonlyArray<string> = [
  "fcm.googleapis.com",
  "updates.push.services.mozilla.com",
  ".push.services.mozilla.com",
  ".push.apple.com",
  ".notify.windows.com"
]

export interface WebPushSettings {
  /** How push services reach us: `mailto:` or `https:`. */
  readonly subject: string
  /** The pair of keys that the browsers subscribed with, base64url. */
  readonly publicKey: string
  readonly privateKey: Redacted.Redacted
  /** For one call; 10 s by default. */
  readonly timeout?: Duration.Input
  /** Messages on the way at one time; 32 by default. */
  readonly connections?: number
  /** Calls at a time; 2 by default. */
  readonly concurrency?: number
  readonly rate?: ChannelProvider["rate"]
  /** Push services that are called; `browserPushHosts` by default. */
  readonly hosts?: ReadonlyArray<string>
  /** Makes the connections; whoever gives it closes it. */
  readonly agent?: Agent
}

export class WebPushSettingsInvalid extends Schema.TaggedError<WebPushSettingsInvalid>()("WebPushSettingsInvalid", {
  reason: Schema.String
}) {
  override get message() {
    return `The settings of Web Push are not usable: ${this.reason}`
  }
}

/** What every push service must take (RFC 8030) less what encryption adds (RFC 8188: head, delimiter, tag). */
const maxPayloadBytes = 4_096 - 103

const messageBytes = ({ body, data, options, title }: PushMessage, tag: string | undefined): Buffer =>
  Buffer.from(
    JSON.stringify({
      title,
      body,
      ...(tag === undefined ? {} : { tag }),
      ...(options.imageUrl === undefined ? {} : { image: options.imageUrl }),
      ...(options.link === undefined ? {} : { link: options.link }),
      ...(options.badge === undefined ? {} : { badge: options.badge }),
      data
    })
  )

const isAt = (endpoint: string, hosts: ReadonlyArray<string>): boolean => {
  if (!URL.canParse(endpoint)) return false
  const { hostname, password, port, protocol, username } = new URL(endpoint)
  if (protocol !== "https:" || port !== "" || username !== "" || password !== "") return false
  return hosts.some((host) => (host.startsWith(".") ? hostname.endsWith(host) : hostname === host))
}

const outcomeOf = ({ headers, status, text }: Answer, now: number): SendOutcome => {
  if (status >= 200 && status < 300) return { _tag: "Sent", providerMessageId: null, code: String(status) }
  const code = `http_${status}`
  const said = text.replaceAll(/\s+/g, " ").slice(0, 200)
  const detail = `the push service answered ${status}${said === "" ? "" : `: ${said}`}`
  if (status === 404 || status === 410) return failed("unreachable", "UNREGISTERED", detail)
  if (status === 413) return failed("permanent", "payload_too_large", detail)
  if (status === 401) return failed("credentials", code, detail)
  // The subscription was made for another key (RFC 8292, section 4.2): ours is good for all others.
  if (status === 403) return failed("permanent", code, detail)
  const wait = retryAfterOf(headers["retry-after"], now)
  return ofStatus(status, code, detail, wait) ?? failed("permanent", code, detail)
}

/** With keys of different pairs every push service refuses every push. */
const checkPair = (publicKey: string, privateKey: string): void => {
  const curve = createECDH("prime256v1")
  curve.setPrivateKey(privateKey, "base64url")
  if (curve.getPublicKey("base64url") !== publicKey) throw new Error("the VAPID keys are not of one pair")
}

const load = Effect.tryPromise({
  try: () => import("web-push"),
  catch: () => new WebPushSettingsInvalid({ reason: "web-push cannot be loaded" })
})

export const make = Effect.fnUntraced(function* (
  settings: WebPushSettings
): Effect.fn.Return<ChannelProvider<"push">, WebPushSettingsInvalid, Scope.Scope> {
  const timeout = Duration.toMillis(Duration.fromInputUnsafe(settings.timeout ?? "10 seconds"))
  const connections = settings.connections ?? 32
  const hosts = settings.hosts ?? browserPushHosts
  const { default: webPush } = yield* load
  const vapidDetails = {
    subject: settings.subject,
    publicKey: settings.publicKey,
    privateKey: Redacted.value(settings.privateKey)
  }
  yield* Effect.try({
    try: () => {
      const { privateKey, publicKey, subject } = vapidDetails
      webPush.getVapidHeaders("https://fcm.googleapis.com", subject, publicKey, privateKey, "aes128gcm")
      checkPair(publicKey, privateKey)
    },
    catch: (cause) => new WebPushSettingsInvalid({ reason: cause instanceof Error ? cause.message : "VAPID keys" })
  })
  const agent =
    settings.agent ??
    (yield* Effect.acquireRelease(
      Effect.sync(() => new BoundedAgent({ limit: timeout, maxSockets: connections })),
      (made) => Effect.sync(() => made.destroy())
    ))

  const request = (subscription: WebSubscription, payload: Buffer, message: PushMessage, topic: string | undefined) =>
    Effect.try({
      try: () =>
        webPush.generateRequestDetails(subscription, payload, {
          vapidDetails,
          TTL: message.options.ttlSeconds ?? defaultTtlSeconds,
          urgency: message.urgent ? "high" : "normal",
          contentEncoding: "aes128gcm",
          ...(topic === undefined ? {} : { topic })
        }),
      // All but the subscription is our own and was checked: its keys are none.
      catch: () => failed("unreachable", "INVALID_TOKEN", "the keys of the subscription are not usable")
    })

  const sendOne = Effect.fnUntraced(function* ({ message }: Outgoing<"push">) {
    const subscription = message.to._tag === "Device" ? subscriptionOf(message.to.token) : undefined
    if (subscription === undefined)
      return failed("permanent", "not_a_subscription", "Web Push takes subscriptions only")
    if (!isAt(subscription.endpoint, hosts)) {
      return failed("permanent", "endpoint_refused", "the subscription's endpoint is not at a known push service")
    }
    const key = collapseKeyOf(message)
    const payload = messageBytes(message, key)
    if (payload.length > maxPayloadBytes) {
      const detail = `the push has ${payload.length} bytes, and the limit is ${maxPayloadBytes}`
      return failed("permanent", "data_too_large", detail)
    }
    const topic = key === undefined ? undefined : webTopicOf(key)
    const { body, endpoint, headers } = yield* request(subscription, payload, message, topic)
    const answer = yield* httpsPost({ url: endpoint, headers: { ...headers }, body: body ?? "", agent })
    return outcomeOf(answer, yield* Clock.currentTimeMillis)
  })

  const provider: ChannelProvider<"push"> = {
    id: "webpush",
    channel: "push",
    maxBatch: 100,
    concurrency: settings.concurrency ?? 2,
    rate: settings.rate,
    accepts: ({ to }) => to._tag === "Device" && to.platform === "web" && subscriptionOf(to.token) !== undefined,
    send: Effect.fn("WebPushProvider.send")(function* (batch: ReadonlyArray<Outgoing<"push">>) {
      const end = (yield* Clock.currentTimeMillis) + timeout
      return yield* Effect.forEach(
        batch,
        (outgoing) =>
          sendOne(outgoing).pipe(
            Effect.catchTags({
              Failed: (failure) => Effect.succeed(failure),
              NoAnswer: ({ cause }) => Effect.succeed(unanswered(cause))
            }),
            (sending) => until(end, sending)
          ),
        { concurrency: connections }
      )
    })
  }
  return provider
})
