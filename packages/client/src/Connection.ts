/**
 * Keeps one link open: connects, subscribes from the buffer's position, and comes back until that makes no sense.
 */
import { Cause, Clock, Deferred, Effect, Exit, Latch, Option, Result, Stream, SubscriptionRef } from "effect"
import type { Scope } from "effect"
import * as Close from "@beckon/domain/CloseReason"
import type { Position } from "@beckon/domain/Position"
import { Forbidden, TooManyRequests, Unauthorized, Unavailable } from "@beckon/domain/Problem"
import * as Backoff from "./Backoff.ts"
import { InboxClosed, LinkFailed } from "./ClientError.ts"
import type { ConnectionError } from "./ClientError.ts"
import type { EventBuffer } from "./EventBuffer.ts"
import { decode } from "./InboxEvent.ts"
import type { InboxEvent } from "./InboxEvent.ts"
import type { Settings } from "./InboxOptions.ts"
import * as Link from "./Link.ts"
import * as Probe from "./Probe.ts"
import * as Token from "./Token.ts"

/** `connecting`: an attempt is on its way; `offline`: waiting for the next one, or paused; `closed`: for good. */
export type Status = "connecting" | "live" | "offline" | "closed"

export interface InboxState {
  readonly status: Status
  /** What the consumer has worked off; a later client resumes from it. */
  readonly position: Position | undefined
  /** The unread count as of the newest frame; absent before the first. */
  readonly unread: number | undefined
  readonly lastError: ConnectionError | undefined
}

export interface Connection {
  /** Waits for an open link; fails when there will be none. */
  readonly link: Effect.Effect<Link.Link, InboxClosed>
  /** The open link, if there is one now. */
  readonly current: () => Link.Link | undefined
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

/** How one attempt ended. */
type Outcome =
  | { readonly _tag: "Retry"; readonly error: ConnectionError | undefined }
  | { readonly _tag: "Refused"; readonly token: string; readonly closed: InboxClosed }
  | { readonly _tag: "Stop"; readonly closed: InboxClosed }

const stop = (closed: InboxClosed): Outcome => ({ _tag: "Stop", closed })

const refuse = (token: string, closed: InboxClosed): Outcome => ({ _tag: "Refused", token, closed })

const retry = (error: ConnectionError | undefined): Outcome => ({ _tag: "Retry", error })

/** A refresh that got no new token is tried again after this many milliseconds, while the token lasts. */
const refreshRetry = 1_000

/** Timers beyond 2^31 ms fire at once, so a longer wait is cut into days. */
const longestSleep = 86_400_000

const unreadOf = (event: InboxEvent): number | undefined => ("unread" in event ? event.unread : undefined)

/** Calls `listener` when a browser says that the network is back; nothing elsewhere. */
const onOnline = (listener: () => void) => {
  const browser: { addEventListener?: EventTarget["addEventListener"] } & {
    removeEventListener?: EventTarget["removeEventListener"]
  } = globalThis as object
  return Effect.acquireRelease(
    Effect.sync(() => browser.addEventListener?.("online", listener)),
    () => Effect.sync(() => browser.removeEventListener?.("online", listener))
  )
}

export const make: (
  settings: Settings,
  buffer: EventBuffer,
  state: SubscriptionRef.SubscriptionRef<InboxState>,
  onTopic: (frame: unknown) => void
) => Effect.Effect<Connection, never, Scope.Scope> = Effect.fnUntraced(function* (settings, buffer, state, onTopic) {
  const links = yield* SubscriptionRef.make<Link.Link | undefined>(undefined)
  const givenUp = Deferred.makeUnsafe<never, InboxClosed>()
  const running = Latch.makeUnsafe(true)
  const paused = Latch.makeUnsafe(false)
  const wake = Latch.makeUnsafe(false)
  let attempt = 0
  let refused: { readonly token: string; readonly closed: InboxClosed } | undefined

  const update = (patch: Partial<InboxState>) => SubscriptionRef.update(state, (now) => ({ ...now, ...patch }))

  const live = Effect.suspend(() => {
    attempt = 0
    refused = undefined
    return update({ status: "live", lastError: undefined })
  })

  /** Takes one frame; false when there is no room for it, so that nothing behind it may be taken either. */
  const onFrame = Effect.fnUntraced(function* (raw: unknown) {
    const event = decode(raw)
    if (!buffer.offer(event)) return false
    const unread = unreadOf(event)
    if (unread !== undefined) yield* update({ unread })
    if (event._tag === "CaughtUp") yield* live
    return true
  })

  const subscription = (link: Link.Link) => {
    const position = buffer.position()
    return link.rpc.Subscribe(position === undefined ? {} : { position }, { streamBufferSize: 256 }).pipe(
      Stream.runForEachWhile((raw) =>
        Effect.tap(onFrame(raw), (isTaken) =>
          Effect.sync(() => {
            if (!isTaken) link.close(Close.slowConsumer)
          })
        )
      )
    )
  }

  const refresh = Effect.fnUntraced(function* (link: Link.Link, first: string) {
    let token = first
    while (true) {
      const expiresAt = Option.getOrUndefined(Token.expiry(token))
      const now = yield* Clock.currentTimeMillis
      if (expiresAt === undefined || expiresAt <= now) return
      const wait = Token.refreshDelay(expiresAt, now)
      yield* Effect.sleep(Math.min(wait, longestSleep))
      if (wait > longestSleep) continue
      const fresh = yield* Effect.result(Token.get(settings.token))
      if (Result.isFailure(fresh) || fresh.success === token) {
        if (Result.isFailure(fresh)) yield* update({ lastError: fresh.failure })
        yield* Effect.sleep(refreshRetry)
        continue
      }
      const answer = yield* Effect.exit(link.rpc.RefreshToken({ token: fresh.success }))
      if (Exit.isFailure(answer)) {
        const error = new LinkFailed({ message: "the fresh token was not accepted", cause: Cause.squash(answer.cause) })
        return yield* update({ lastError: error })
      }
      token = fresh.success
    }
  })

  /** Why a connect failed before it opened. */
  const afterFailedOpen = Effect.fnUntraced(function* (token: string, error: LinkFailed) {
    const verdict = yield* Probe.why({ url: settings.probeUrl, token, fetch: settings.fetch })
    if (verdict._tag === "Unclear") return retry(error)
    const closed = new InboxClosed({ reason: "refused", code: verdict.status, detail: verdict.detail })
    return verdict._tag === "Refused" ? refuse(token, closed) : stop(closed)
  })

  const afterClose = Effect.fnUntraced(function* (link: Link.Link) {
    const { code, reason } = yield* link.closed
    const message = reason || `closed with ${code}`
    return Close.mayReconnect(code)
      ? retry(new LinkFailed({ message, code }))
      : stop(new InboxClosed({ reason: "rejected", code, detail: message }))
  })

  /** The subscription ended although the link is open. */
  const afterSubscription = (token: string, exit: Exit.Exit<void, unknown>): Outcome => {
    if (Exit.isSuccess(exit)) return retry(new LinkFailed({ message: "the server ended the subscription" }))
    const error = Cause.squash(exit.cause)
    if (error instanceof Unauthorized || error instanceof Forbidden) {
      const detail = error.detail ?? error.title
      return refuse(token, new InboxClosed({ reason: "refused", code: error.status, detail }))
    }
    const isTransient = error instanceof TooManyRequests || error instanceof Unavailable
    const message = isTransient ? (error.detail ?? error.title) : "the subscription failed"
    return retry(new LinkFailed({ message, cause: error }))
  }

  const connectOnce = Effect.gen(function* () {
    const token = yield* Token.get(settings.token)
    if (refused?.token === token) return stop(refused.closed)
    const opened = yield* Effect.result(
      Link.open({
        url: settings.socketUrl,
        token,
        WebSocket: settings.WebSocket,
        openTimeout: settings.openTimeout,
        ping: settings.ping,
        onTopic
      })
    )
    if (Result.isFailure(opened)) return yield* afterFailedOpen(token, opened.failure)
    const link = opened.success
    yield* Effect.forkScoped(refresh(link, token))
    yield* SubscriptionRef.set(links, link)
    if (!settings.subscribe) {
      yield* live
      return yield* afterClose(link)
    }
    const exit = yield* Effect.exit(subscription(link))
    if (!link.isAlive()) return yield* afterClose(link)
    return afterSubscription(token, exit)
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.succeed(retry(error))),
    Effect.catchDefect((cause) => Effect.succeed(retry(new LinkFailed({ message: "the attempt failed", cause })))),
    Effect.ensuring(SubscriptionRef.set(links, undefined))
  )

  const giveUp = (closed: InboxClosed) =>
    Effect.gen(function* () {
      yield* update({ status: "closed", lastError: closed })
      Deferred.doneUnsafe(givenUp, Exit.fail(closed))
      buffer.end(Exit.fail(closed))
    })

  /** One attempt and the wait after it; true when it was the last. */
  const turn = Effect.gen(function* () {
    yield* running.await
    yield* buffer.room.await
    yield* update({ status: "connecting" })
    const outcome = yield* Effect.raceFirst(connectOnce, Effect.as(paused.await, retry(undefined)))
    if (outcome._tag === "Stop") return yield* Effect.as(giveUp(outcome.closed), true)
    if (outcome._tag === "Refused") {
      if (refused !== undefined) return yield* Effect.as(giveUp(outcome.closed), true)
      refused = outcome
      return false
    }
    yield* update({ status: "offline", ...(outcome.error === undefined ? {} : { lastError: outcome.error }) })
    if (paused.isOpen() || !buffer.room.isOpen()) return false
    wake.closeUnsafe()
    const delay = yield* Backoff.delay(settings.backoff, attempt++)
    yield* Effect.raceFirst(Effect.sleep(delay), Effect.raceFirst(wake.await, paused.await))
    return false
  })

  const closedByOwner = new InboxClosed({ reason: "closed", detail: "the inbox was closed" })
  yield* Effect.addFinalizer(() => Effect.sync(() => Deferred.doneUnsafe(givenUp, Exit.fail(closedByOwner))))
  yield* onOnline(() => wake.openUnsafe())
  yield* Effect.forkScoped(Effect.repeat(turn, { until: (isLast) => isLast }))

  const isOpen = (link: Link.Link | undefined): link is Link.Link => link?.isAlive() === true
  const nextLink = SubscriptionRef.changes(links).pipe(
    Stream.filter(isOpen),
    Stream.runHead,
    Effect.flatMap((link) => (Option.isSome(link) ? Effect.succeed(link.value) : Effect.never))
  )
  const link = Effect.suspend(() => {
    const now = SubscriptionRef.getUnsafe(links)
    return isOpen(now) ? Effect.succeed(now) : Effect.raceFirst(nextLink, Deferred.await(givenUp))
  })
  return {
    link,
    current: () => {
      const now = SubscriptionRef.getUnsafe(links)
      return isOpen(now) ? now : undefined
    },
    pause: Effect.sync(() => {
      running.closeUnsafe()
      paused.openUnsafe()
    }),
    resume: Effect.sync(() => {
      attempt = 0
      paused.closeUnsafe()
      running.openUnsafe()
      wake.openUnsafe()
    })
  }
})
