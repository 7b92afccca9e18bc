/**
 * Push through Firebase Cloud Messaging, HTTP v1.
 */
import { Array as Arr, Clock, Duration, Effect, Redacted } from "effect"
import type { Scope } from "effect"
import type { SendOutcome } from "@beckon/domain/Delivery"
import { pushDataFault } from "@beckon/domain/PushData"
import type { ChannelProvider, Outgoing, PushMessage } from "@beckon/domain/ports/ChannelProvider"
import type { PushTopics } from "@beckon/domain/ports/PushTopics"
import type { ConnectTo } from "./BoundedAgent.ts"
import { until } from "./CallLimit.ts"
import * as FcmClient from "./FcmClient.ts"
import type { FcmSettingsInvalid } from "./FcmClient.ts"
import { failureOf, isUnauthenticated } from "./FcmFailure.ts"
import { fcmMessageOf } from "./FcmMessage.ts"
import { failed, failedOf, refused, timedOut } from "../http/ProviderFailure.ts"
import type { Failed } from "../http/ProviderFailure.ts"
import { subscriptionOf } from "./WebSubscription.ts"

export interface FcmSettings {
  /** The JSON of a service account that may send messages of its project. */
  readonly serviceAccount: Redacted.Redacted
  /** For one call; 10 s by default. */
  readonly timeout?: Duration.Input
  /** Messages on the way at one time, each on its own connection; 50 by default. */
  readonly connections?: number
  /** Calls at a time; 2 by default, which share the connections. */
  readonly concurrency?: number
  /** Messages in a time, over all nodes; no limit by default. */
  readonly rate?: ChannelProvider["rate"]
  /** Where to connect instead of Google's hosts, for a forwarder that holds a certificate of theirs. */
  readonly connectTo?: ConnectTo
}

/** A provider that also keeps the audiences of topics. */
export interface FcmProvider extends ChannelProvider<"push"> {
  readonly topics: PushTopics["Service"]
}

/** FCM's limit for one call. */
const maxBatch = 500

/** So many tokens of a topic share one time limit. */
const topicTokens = 1_000

type Kind = "subscribe" | "unsubscribe"

const tokenOf = ({ to }: PushMessage): string => (to._tag === "Device" ? Redacted.value(to.token) : "")

/** FCM quotes what it does not like. */
const withoutToken = (outcome: Failed, token: string): Failed =>
  token === "" ? outcome : { ...outcome, detail: outcome.detail.replaceAll(token, "…") }

export const make = Effect.fnUntraced(function* (
  settings: FcmSettings
): Effect.fn.Return<FcmProvider, FcmSettingsInvalid, Scope.Scope> {
  const timeout = Duration.toMillis(Duration.fromInputUnsafe(settings.timeout ?? "10 seconds"))
  const connections = settings.connections ?? 50
  const client = yield* FcmClient.make({
    serviceAccount: settings.serviceAccount,
    timeout,
    connections,
    connectTo: settings.connectTo
  })

  const failure = (access: Redacted.Redacted, token: string) =>
    Effect.fnUntraced(function* ({ cause }: FcmClient.FcmError) {
      if (isUnauthenticated(cause)) yield* client.forget(access)
      return withoutToken(failureOf(cause, yield* Clock.currentTimeMillis), token)
    })

  const sendOne = (access: Redacted.Redacted, message: PushMessage): Effect.Effect<SendOutcome> =>
    Effect.gen(function* () {
      const fault = pushDataFault(message.data)
      if (fault !== undefined) return failed("permanent", fault.code, fault.detail)
      const name = yield* client.send(fcmMessageOf(message, yield* Clock.currentTimeMillis))
      return typeof name === "string"
        ? { _tag: "Sent" as const, providerMessageId: name }
        : failed("transient", "bad_answer", "FCM did not name the message")
    }).pipe(Effect.catchTag("FcmError", failure(access, tokenOf(message))))

  const send = Effect.fn("FcmProvider.send")(function* (batch: ReadonlyArray<Outgoing<"push">>) {
    const end = (yield* Clock.currentTimeMillis) + timeout
    const access = yield* until(
      end,
      Effect.catchTag(client.ready, "PushRefused", (refusal) => Effect.succeed(failedOf(refusal)))
    )
    if (!Redacted.isRedacted(access)) return batch.map(() => access)
    return yield* Effect.forEach(batch, ({ message }) => until(end, sendOne(access, message)), {
      concurrency: connections
    })
  })

  const changeOne = (access: Redacted.Redacted, kind: Kind, token: string, topic: string) =>
    client.changeTopic(kind, token, topic).pipe(Effect.catchTag("FcmError", failure(access, token)))

  const changeSome = Effect.fnUntraced(function* (kind: Kind, tokens: ReadonlyArray<Redacted.Redacted>, topic: string) {
    const end = (yield* Clock.currentTimeMillis) + timeout
    const access = yield* client.ready.pipe(
      Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(refused(timedOut())) })
    )
    return yield* Effect.forEach(tokens, (token) => until(end, changeOne(access, kind, Redacted.value(token), topic)), {
      concurrency: connections
    })
  })

  const change = (kind: Kind) =>
    Effect.fn(`FcmProvider.${kind}`)(function* (tokens: ReadonlyArray<Redacted.Redacted>, topic: string) {
      const outcomes = yield* Effect.forEach(Arr.chunksOf(tokens, topicTokens), (some) => changeSome(kind, some, topic))
      const refusals = outcomes
        .flat()
        .flatMap((outcome, index) =>
          outcome === undefined ? [] : [{ index, class: outcome.class, code: outcome.code, detail: outcome.detail }]
        )
      return { changed: tokens.length - refusals.length, refused: refusals }
    })

  const provider: FcmProvider = {
    id: "fcm",
    channel: "push",
    maxBatch,
    concurrency: settings.concurrency ?? 2,
    rate: settings.rate,
    // Browsers without FCM register a subscription instead of a token.
    accepts: ({ to }) => to._tag === "Topic" || to.platform !== "web" || subscriptionOf(to.token) === undefined,
    send,
    topics: { subscribe: change("subscribe"), unsubscribe: change("unsubscribe") }
  }
  return provider
})
