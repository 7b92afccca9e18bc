/**
 * The inbox as promises, listeners and an async iterable: an adapter over `InboxClient`, and the only place of the client
 * that runs effects.
 *
 * **Details**
 *
 * Events wait (bounded) until the first listener or iterator is there. An iterator takes one notification at a time: the one
 * before counts as processed, and is acknowledged, when the next is asked for.
 */
import { Cause, Deferred, Effect, Exit, Fiber, Latch, Scope, Stream, SubscriptionRef } from "effect"
import type { Schema } from "effect"
import type { Device } from "@beckon/domain/Device"
import type { Change } from "@beckon/domain/InboxRpcs"
import type { Accepted } from "@beckon/domain/Notification"
import type { Position } from "@beckon/domain/Position"
import type { Preferences } from "@beckon/domain/Preferences"
import type { InboxClosed } from "./ClientError.ts"
import type { InboxState } from "./Connection.ts"
import type { Draft, Ids, ListOptions } from "./InboxCalls.ts"
import * as InboxClient from "./InboxClient.ts"
import type { AllRead, Changed, InboxEvent, Notification, Page } from "./InboxEvent.ts"
import type { InboxOptions } from "./InboxOptions.ts"
import type { TopicEvent } from "./TopicWatches.ts"
import * as Turnstile from "./Turnstile.ts"

/** Keeps the position between runs; both may answer at once or later. */
export interface PromisePositionStorage {
  readonly load: () => unknown
  readonly save: (position: Position) => unknown
}

/** Times are in milliseconds or as Effect writes them (`"10 seconds"`). */
export interface ConnectOptions extends Omit<InboxOptions, "token" | "storage"> {
  /** A token, or what gets a valid one; asked at every connect and before the token expires. */
  readonly token: string | (() => string | Promise<string>)
  readonly storage?: PromisePositionStorage | undefined
  /** Closes the inbox. */
  readonly signal?: AbortSignal | undefined
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface InboxListeners {
  readonly notification: (notification: Notification, unread: number) => void
  /** Read, unread or deleted, on any device. */
  readonly changed: (change: Changed | AllRead) => void
  readonly state: (state: InboxState) => void
  /** Everything, also what this client does not know. */
  readonly event: (event: InboxEvent) => void
}

export interface WatchOptions {
  /** After a break: messages in between are lost; `snapshot` is the topic's last one, where it keeps one. */
  readonly onMissed?: (snapshot: Schema.Json) => void
  /** It is watched no more, and not by `unwatch`: the right to has ended, or the inbox is closed. */
  readonly onEnd?: (error: unknown) => void
}

export interface Watch {
  /** The topic's last message where it keeps one, else `null`. */
  readonly snapshot: Schema.Json
  readonly unwatch: () => Promise<void>
}

export interface Inbox extends AsyncIterable<Notification>, AsyncDisposable {
  readonly state: InboxState
  /** What was worked off; pass it as `position` to resume later. */
  readonly position: Position | undefined
  /** Calls `listener` from now on; call what it returns to stop. */
  readonly on: <K extends keyof InboxListeners>(type: K, listener: InboxListeners[K]) => () => void
  readonly markRead: (ids: Ids, options?: CallOptions) => Promise<Change>
  readonly markUnread: (ids: Ids, options?: CallOptions) => Promise<Change>
  readonly markAllRead: (options?: CallOptions) => Promise<Change>
  readonly delete: (ids: Ids, options?: CallOptions) => Promise<Change>
  readonly list: (options?: ListOptions & CallOptions) => Promise<Page>
  /** All pages from `cursor` on. */
  readonly listAll: (options?: ListOptions) => AsyncIterable<Notification>
  readonly unreadCount: (options?: CallOptions) => Promise<number>
  readonly registerDevice: (device: Device, options?: CallOptions) => Promise<void>
  readonly unregisterDevice: (token: string, options?: CallOptions) => Promise<void>
  readonly getPreferences: (options?: CallOptions) => Promise<Preferences>
  readonly setPreferences: (preferences: Preferences, options?: CallOptions) => Promise<void>
  readonly send: (notifications: ReadonlyArray<Draft>, options?: CallOptions) => Promise<ReadonlyArray<Accepted>>
  /**
   * Calls `onMessage` with what is published to the topic, at most once each, until `unwatch`. Resolves when the watch stands,
   * rejects when it is refused.
   */
  readonly watch: (
    topic: string,
    onMessage: (data: Schema.Json) => void,
    options?: WatchOptions & CallOptions
  ) => Promise<Watch>
  /** To those who watch the topic at the moment, at most once. */
  readonly publish: (topic: string, data: Schema.Json, options?: CallOptions) => Promise<void>
  /** Acknowledges everything up to the position; for `acknowledge: "manual"`. */
  readonly ack: (position: Position) => Promise<void>
  /** Closes the link and stays offline until `resume`. */
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  /** Ends iterators, acknowledges what waits for it and closes the socket. Leaving a `for await` loop closes too. */
  readonly close: () => Promise<void>
}

const tryPromise = <A>(run: () => A | Promise<A>) =>
  Effect.mapError(
    Effect.tryPromise(() => Promise.resolve().then(run)),
    ({ cause }) => cause
  )

const toOptions = ({ storage, token, ...options }: ConnectOptions): InboxOptions => ({
  ...options,
  token: typeof token === "string" ? token : tryPromise(token),
  storage: storage && {
    load: tryPromise(storage.load),
    save: (position) => Effect.asVoid(tryPromise(() => storage.save(position)))
  }
})

const connecting: InboxState = { status: "connecting", position: undefined, unread: undefined, lastError: undefined }

/** Starts connecting and returns at once. Throws a `TypeError` for a malformed `url`. */
export const connect = (options: ConnectOptions): Inbox => {
  const url = new URL(options.url).href
  const scope = Scope.makeUnsafe()
  const starting = Effect.runFork(Scope.provide(InboxClient.make({ ...toOptions(options), url }), scope))
  let state: InboxState = { ...connecting, position: options.position }
  const listeners: { readonly [K in keyof InboxListeners]: Set<InboxListeners[K]> } = {
    notification: new Set(),
    changed: new Set(),
    state: new Set(),
    event: new Set()
  }
  const turnstiles = new Set<Turnstile.Turnstile<Notification>>()
  const client = Fiber.join(starting)

  const tell = <A extends ReadonlyArray<unknown>>(to: ReadonlySet<(...args: A) => void>, ...args: A) =>
    Effect.forEach(
      [...to],
      (listener) =>
        Effect.catchDefect(
          Effect.sync(() => listener(...args)),
          (cause) => Effect.logError("A listener of the inbox threw.", cause)
        ),
      { discard: true }
    )

  const deliver = Effect.fnUntraced(function* (event: InboxEvent) {
    yield* tell(listeners.event, event)
    if (event._tag === "Changed" || event._tag === "AllRead") yield* tell(listeners.changed, event)
    if (event._tag !== "Notification") return
    yield* tell(listeners.notification, event.notification, event.unread)
    yield* Effect.forEach([...turnstiles], (turnstile) => turnstile.pass(event.notification), {
      concurrency: "unbounded",
      discard: true
    })
  })

  let isClosing = false
  /** Open while no event is with a consumer. */
  const idle = Latch.makeUnsafe(true)
  /** Answers whether to go on; an event that nobody has seen is left by interruption, so that it does not count as processed. */
  const dispatch = Effect.fnUntraced(function* (event: InboxEvent) {
    if (isClosing) return yield* Effect.interrupt
    idle.closeUnsafe()
    yield* deliver(event)
    if (!isClosing) idle.openUnsafe()
    return !isClosing
  })

  const watching = Effect.runFork(
    Effect.flatMap(client, (inbox) =>
      Stream.runForEach(SubscriptionRef.changes(inbox.state), (now) => {
        state = now
        return tell(listeners.state, now)
      })
    )
  )

  let pumping: Fiber.Fiber<void> | undefined
  const pump = () => {
    pumping ??= Effect.runFork(
      Effect.flatMap(client, (inbox) => Stream.runForEachWhile(inbox.frames, dispatch)).pipe(
        Effect.exit,
        Effect.flatMap((exit) =>
          Effect.sync(() => {
            ended = exit
            for (const turnstile of turnstiles) turnstile.end(exit)
          })
        )
      )
    )
  }
  let ended: Exit.Exit<void, InboxClosed> | undefined

  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    isClosing = true
    closing ??= Effect.runPromise(
      Effect.gen(function* () {
        // Whoever still holds a notification has had it: it counts before the last acknowledgement goes out.
        for (const turnstile of turnstiles) turnstile.end(Exit.void)
        if (pumping !== undefined) yield* Effect.raceFirst(Fiber.await(pumping), idle.await)
        yield* Fiber.await(starting)
        yield* Scope.close(scope, Exit.void)
        if (pumping !== undefined) yield* Fiber.await(pumping)
        yield* Fiber.interrupt(watching)
        state = { ...state, status: "closed" }
        yield* tell(listeners.state, state)
      })
    )
    return closing
  }

  const call = <A, E>(
    run: (inbox: InboxClient.InboxClientService) => Effect.Effect<A, E>,
    options?: CallOptions
  ): Promise<A> =>
    Effect.runPromise(Effect.flatMap(client, run), options?.signal === undefined ? {} : { signal: options.signal })

  options.signal?.addEventListener("abort", () => void close(), { once: true })
  if (options.signal?.aborted === true) void close()

  return {
    get state() {
      return state
    },
    get position() {
      return state.position
    },
    on: (type, listener) => {
      listeners[type].add(listener)
      if (type !== "state") pump()
      return () => void listeners[type].delete(listener)
    },
    markRead: (ids, options) => call((inbox) => inbox.markRead(ids), options),
    markUnread: (ids, options) => call((inbox) => inbox.markUnread(ids), options),
    markAllRead: (options) => call((inbox) => inbox.markAllRead, options),
    delete: (ids, options) => call((inbox) => inbox.delete(ids), options),
    list: ({ signal, ...options } = {}) => call((inbox) => inbox.list(options), { signal }),
    listAll: (options) => Stream.toAsyncIterable(Stream.unwrap(Effect.map(client, (inbox) => inbox.listAll(options)))),
    unreadCount: (options) => call((inbox) => inbox.unreadCount, options),
    registerDevice: (device, options) => call((inbox) => inbox.registerDevice(device), options),
    unregisterDevice: (token, options) => call((inbox) => inbox.unregisterDevice(token), options),
    getPreferences: (options) => call((inbox) => inbox.getPreferences, options),
    setPreferences: (preferences, options) => call((inbox) => inbox.setPreferences(preferences), options),
    send: (notifications, options) => call((inbox) => inbox.send(notifications), options),
    watch: (topic, onMessage, options = {}) =>
      call(
        (inbox) =>
          Effect.gen(function* () {
            const first = yield* Deferred.make<Schema.Json, unknown>()
            const take = (event: TopicEvent) => {
              if (event._tag === "Message") return tell(new Set([onMessage]), event.data)
              if (event.missed) return tell(new Set(options.onMissed ? [options.onMissed] : []), event.snapshot)
              return Effect.asVoid(Deferred.succeed(first, event.snapshot))
            }
            const watched = yield* Stream.runForEach(inbox.watch(topic), take).pipe(
              Effect.onError((cause) => {
                if (Cause.hasInterruptsOnly(cause)) return Effect.void
                const error = Cause.squash(cause)
                return Deferred.isDoneUnsafe(first)
                  ? tell(new Set(options.onEnd ? [options.onEnd] : []), error)
                  : Effect.asVoid(Deferred.fail(first, error))
              }),
              Effect.exit,
              Effect.forkIn(scope)
            )
            const unwatch = Effect.asVoid(Fiber.interrupt(watched))
            const snapshot = yield* Effect.onInterrupt(Deferred.await(first), () => unwatch)
            return { snapshot, unwatch: () => Effect.runPromise(unwatch) }
          }),
        options
      ),
    publish: (topic, data, options) => call((inbox) => inbox.publish(topic, data), options),
    ack: (position) => call((inbox) => inbox.ack(position)),
    pause: () => call((inbox) => inbox.pause),
    resume: () => call((inbox) => inbox.resume),
    close,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => {
      const turnstile = Turnstile.make<Notification>()
      turnstiles.add(turnstile)
      if (ended !== undefined || closing !== undefined) turnstile.end(ended ?? Exit.void)
      pump()
      return {
        next: turnstile.next,
        return: () => {
          turnstile.end(Exit.void)
          return close().then(() => ({ done: true, value: undefined }))
        }
      }
    }
  }
}
