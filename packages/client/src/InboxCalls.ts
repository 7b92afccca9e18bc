/**
 * The typed calls. A call waits for a connection; when the link breaks, a call that may be repeated goes out again on the next.
 */
import { Duration, Effect, Option, Schema, Stream } from "effect"
import { RpcClientError } from "effect/rpc"
import type { Device } from "@beckon/domain/Device"
import type { NotificationId } from "@beckon/domain/Identifiers"
import type { Change, ReadStatus, Send } from "@beckon/domain/InboxRpcs"
import type { Accepted } from "@beckon/domain/Notification"
import type { Preferences } from "@beckon/domain/Preferences"
import type { Forbidden, NotFound, TooManyRequests, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { BadRequest, ConnectionLost, NotConnected } from "./ClientError.ts"
import type { CallError, InboxClosed } from "./ClientError.ts"
import type { Notification, Page } from "./InboxEvent.ts"
import type { Link, Rpcs } from "./Link.ts"

/** Ids as they came with notifications; plain text is accepted and checked. */
export type Ids = ReadonlyArray<NotificationId | string>

export interface ListOptions {
  /** What a former page gave; absent: from the newest. */
  readonly cursor?: string
  /** 1 to 100. */
  readonly limit?: number
  readonly status?: ReadStatus
  /** At most 50. */
  readonly types?: ReadonlyArray<string>
}

/** One notification to send; `userId` may be plain text. */
export type Draft = Omit<Send, "userId"> & { readonly userId: string }

export interface InboxCalls {
  readonly markRead: (ids: Ids) => Effect.Effect<Change, CallError | Forbidden | Unavailable>
  readonly markUnread: (ids: Ids) => Effect.Effect<Change, CallError | Forbidden | Unavailable>
  /** Everything up to the newest notification at that moment. */
  readonly markAllRead: Effect.Effect<Change, CallError | Forbidden | Unavailable>
  readonly delete: (ids: Ids) => Effect.Effect<Change, CallError | Forbidden | Unavailable>
  /** One page, newest first. */
  readonly list: (options?: ListOptions) => Effect.Effect<Page, CallError | Forbidden | Unprocessable | Unavailable>
  /** All pages from `cursor` on, fetched as they are consumed. */
  readonly listAll: (
    options?: ListOptions
  ) => Stream.Stream<Notification, CallError | Forbidden | Unprocessable | Unavailable>
  readonly unreadCount: Effect.Effect<number, CallError | Forbidden | Unavailable>
  readonly registerDevice: (device: Device) => Effect.Effect<void, CallError | Forbidden | Unavailable>
  readonly unregisterDevice: (token: string) => Effect.Effect<void, CallError | Forbidden | NotFound | Unavailable>
  readonly getPreferences: Effect.Effect<Preferences, CallError | Forbidden | Unavailable>
  readonly setPreferences: (
    preferences: Preferences
  ) => Effect.Effect<void, CallError | Forbidden | Unprocessable | Unavailable>
  /**
   * For services. The answers come in the order of the request. Repeated over a broken link only when every notification
   * has a `dedupeKey`; otherwise `ConnectionLost` means that some or all may have been sent.
   */
  readonly send: (
    notifications: ReadonlyArray<Draft>
  ) => Effect.Effect<ReadonlyArray<Accepted>, CallError | Forbidden | TooManyRequests | Unavailable>
  /** To those who watch the topic at the moment, at most once. After `ConnectionLost` it may have been published. */
  readonly publish: (
    topic: string,
    data: Schema.Json
  ) => Effect.Effect<void, CallError | Forbidden | Unprocessable | Unavailable>
}

const isError = Schema.is(Schema.Struct({ message: Schema.String }))

const messageOf = (defect: unknown): string =>
  isError(defect) ? defect.message : typeof defect === "string" ? defect : "the request was not understood"

interface CallOptions {
  readonly name: string
  readonly isRepeatable: boolean
}

export const make = (link: Effect.Effect<Link, InboxClosed>, timeout: Duration.Duration): InboxCalls => {
  const waitedMillis = Duration.toMillis(timeout)

  const call = <A, E>(
    { isRepeatable, name }: CallOptions,
    run: (rpc: Rpcs) => Effect.Effect<A, E | RpcClientError.RpcClientError>
  ): Effect.Effect<A, E | CallError> => {
    const connected = Effect.timeoutOrElse(link, {
      duration: timeout,
      orElse: () => Effect.fail(new NotConnected({ call: name, waitedMillis }))
    })
    const onFailure = (error: E | BadRequest | RpcClientError.RpcClientError): Effect.Effect<A, E | CallError> => {
      if (!(error instanceof RpcClientError.RpcClientError)) return Effect.fail(error)
      return isRepeatable ? once : Effect.fail(new ConnectionLost({ call: name }))
    }
    const once: Effect.Effect<A, E | CallError> = Effect.flatMap(connected, ({ rpc }) =>
      Effect.suspend(() => run(rpc)).pipe(
        // Either side's schema refused it: effect/rpc tells that as a defect.
        Effect.catchDefect((defect) => Effect.fail(new BadRequest({ message: messageOf(defect) }))),
        Effect.catch(onFailure)
      )
    )
    return Effect.withSpan(once, `InboxClient.${name}`)
  }
  const repeatable = (name: string): CallOptions => ({ name, isRepeatable: true })

  const list = (options: ListOptions = {}) => call(repeatable("list"), (rpc) => rpc.List(options))
  return {
    markRead: (ids) => call(repeatable("markRead"), (rpc) => rpc.MarkRead({ ids: asIds(ids) })),
    markUnread: (ids) => call(repeatable("markUnread"), (rpc) => rpc.MarkUnread({ ids: asIds(ids) })),
    markAllRead: call(repeatable("markAllRead"), (rpc) => rpc.MarkRead({ all: true })),
    delete: (ids) => call(repeatable("delete"), (rpc) => rpc.Delete({ ids: asIds(ids) })),
    list,
    listAll: (options = {}) =>
      Stream.paginate(options, (at) =>
        Effect.map(list(at), (page) => {
          const next = Option.fromNullOr(page.nextCursor)
          return [page.items, Option.map(next, (cursor) => ({ ...at, cursor }))] as const
        })
      ),
    unreadCount: Effect.map(
      call(repeatable("unreadCount"), (rpc) => rpc.UnreadCount()),
      ({ unread }) => unread
    ),
    registerDevice: (device) => call(repeatable("registerDevice"), (rpc) => rpc.RegisterDevice(device)),
    unregisterDevice: (token) => call(repeatable("unregisterDevice"), (rpc) => rpc.UnregisterDevice({ token })),
    getPreferences: call(repeatable("getPreferences"), (rpc) => rpc.GetPreferences()),
    setPreferences: (preferences) => call(repeatable("setPreferences"), (rpc) => rpc.SetPreferences(preferences)),
    send: (notifications) => {
      const isRepeatable = notifications.every((notification) => notification.dedupeKey !== undefined)
      return call({ name: "send", isRepeatable }, (rpc) =>
        rpc.SendNotifications({ notifications: asSends(notifications) })
      )
    },
    publish: (topic, data) => call({ name: "publish", isRepeatable: false }, (rpc) => rpc.Publish({ topic, data }))
  }
}

// Brands exist for the checker only; the calls themselves check the text.
const asIds = (ids: Ids) => ids as ReadonlyArray<NotificationId>
const asSends = (drafts: ReadonlyArray<Draft>) => drafts as ReadonlyArray<Send>
