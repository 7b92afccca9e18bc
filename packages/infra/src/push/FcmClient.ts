/**
 * firebase-admin, held to one try in a limited time.
 *
 * **Details**
 *
 * firebase-admin is loaded when the first client is made. Messages go one by one with `send`, not with `sendEach`: FCM has one request per message in
 * both, and one by one the outcome of each is known when it comes, where a time limit on `sendEach` would throw away what is already sent.
 * `send` also goes over HTTP/1.1 with the app's agent, which can be bounded, led elsewhere and closed; the HTTP/2 of `sendEach` opens a new
 * connection for each call, and none of these is possible.
 *
 * **Gotchas**
 *
 * firebase-admin sends again up to four times by itself on 503 and on lost connections. There is no setting for that, so the field of
 * the one HTTP client is emptied; a version that has it no longer is refused when the client is made.
 */
import { Effect, Fiber, FiberSet, Predicate, Redacted, Schema, Semaphore } from "effect"
import type { Scope } from "effect"
import type { Message, Messaging } from "firebase-admin/messaging"
import type { PushRefused } from "@beckon/domain/ports/PushTopics"
import { BoundedAgent, whenLost } from "./BoundedAgent.ts"
import type { ConnectTo } from "./BoundedAgent.ts"
import * as GoogleAccess from "./GoogleAccess.ts"

export class FcmSettingsInvalid extends Schema.TaggedError<FcmSettingsInvalid>()("FcmSettingsInvalid", {
  reason: Schema.String
}) {
  override get message() {
    return `The settings of FCM are not usable: ${this.reason}`
  }
}

export interface FcmClientSettings {
  /** The JSON of a service account that may send messages of its project. */
  readonly serviceAccount: Redacted.Redacted
  /** Milliseconds for one try, token included. */
  readonly timeout: number
  /** Connections to FCM, and so messages on the way at one time. */
  readonly connections: number
  readonly connectTo?: ConnectTo | undefined
}

/** What firebase-admin threw. */
export class FcmError extends Schema.TaggedError<FcmError>()("FcmError", { cause: Schema.Defect() }) {}

export interface FcmClient {
  /** Has an access token ready, or says why there is none: to be asked before anything is sent. */
  readonly ready: Effect.Effect<Redacted.Redacted, PushRefused>
  readonly forget: GoogleAccess.GoogleAccess["forget"]
  /** Answers how FCM calls the message. */
  readonly send: (message: Message) => Effect.Effect<string | undefined, FcmError>
  readonly changeTopic: (
    change: "subscribe" | "unsubscribe",
    token: string,
    topic: string
  ) => Effect.Effect<void, FcmError>
}

const load = Effect.tryPromise({
  try: () => Promise.all([import("firebase-admin/app"), import("firebase-admin/messaging")]),
  catch: () => new FcmSettingsInvalid({ reason: "firebase-admin cannot be loaded" })
})

/** Ends when the call ends, or its connection: firebase-admin is silent for ever about half an answer. */
const trying = <A>(call: () => Promise<A>): Effect.Effect<A, FcmError> =>
  Effect.callback((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(new FcmError({ cause })))
    const run = async () => call()
    whenLost(fail, run).then((value) => resume(Effect.succeed(value)), fail)
  })

const withoutRetries = (messaging: Messaging): Effect.Effect<void, FcmSettingsInvalid> =>
  Effect.suspend(() => {
    const handler: unknown = Reflect.get(messaging, "messagingRequestHandler")
    const client: unknown = Predicate.hasProperty(handler, "httpClient") ? handler.httpClient : undefined
    if (Predicate.hasProperty(client, "retry") && Predicate.hasProperty(client.retry, "maxRetries")) {
      client.retry.maxRetries = 0
      return Effect.void
    }
    return Effect.fail(
      new FcmSettingsInvalid({
        reason: "this version of firebase-admin sends again in a way that cannot be switched off"
      })
    )
  })

/** Apps are found by name in a table of firebase-admin; two clients may well have the same account. */
let apps = 0

export const make = Effect.fnUntraced(function* (
  settings: FcmClientSettings
): Effect.fn.Return<FcmClient, FcmSettingsInvalid, Scope.Scope> {
  const account = yield* GoogleAccess.parseAccount(settings.serviceAccount).pipe(
    Effect.mapError(({ reason }) => new FcmSettingsInvalid({ reason: `the service account: ${reason}` }))
  )
  // Before the agents, and so closed after them: what has begun ends when its connection does.
  const begun = yield* FiberSet.make<unknown, FcmError>()
  const agentFor = (maxSockets: number) =>
    Effect.acquireRelease(
      Effect.sync(() => new BoundedAgent({ limit: settings.timeout, maxSockets, connectTo: settings.connectTo })),
      (agent) => Effect.sync(() => agent.destroy())
    )
  const access = yield* GoogleAccess.make(account, yield* agentFor(1))
  const httpAgent = yield* agentFor(settings.connections)
  const [{ deleteApp, initializeApp }, { getMessaging }] = yield* load

  let token = ""
  const ready = Effect.tap(access.token, (value) =>
    Effect.sync(() => {
      token = Redacted.value(value)
    })
  )
  const app = yield* Effect.acquireRelease(
    Effect.sync(() =>
      initializeApp(
        {
          projectId: account.projectId,
          httpAgent,
          // Valid for no time: the app asks for each request, and only this module knows how long it really is.
          credential: { getAccessToken: () => Promise.resolve({ access_token: token, expires_in: 0 }) }
        },
        `beckon-${++apps}`
      )
    ),
    (made) => Effect.ignore(Effect.tryPromise(() => deleteApp(made)))
  )
  const messaging = getMessaging(app)
  yield* withoutRetries(messaging)
  // For topics only, whose HTTP/2 would go past the agent.
  messaging.enableLegacyHttpTransport()

  // A message waits for its place here and not inside the agent, where nobody could call it off any more. Whoever stops waiting for
  // one that has begun goes on at once; the message keeps its place until the agent's limit ends it.
  const places = yield* Semaphore.make(settings.connections)
  const inPlace = <A>(call: () => Promise<A>): Effect.Effect<A, FcmError> =>
    trying(call).pipe(
      Effect.uninterruptible,
      Semaphore.withPermit(places),
      FiberSet.run(begun),
      Effect.flatMap((fiber) => Effect.onInterrupt(Fiber.join(fiber), () => Effect.sync(() => fiber.interruptUnsafe())))
    )

  return {
    ready,
    forget: access.forget,
    send: (message) => inPlace(() => messaging.send(message)),
    changeTopic: (change, token, topic) =>
      inPlace(async () => {
        const { errors } =
          change === "subscribe"
            ? await messaging.subscribeToTopic(token, topic)
            : await messaging.unsubscribeFromTopic(token, topic)
        const [refusal] = errors
        if (refusal !== undefined) throw refusal.error
      })
  }
})
