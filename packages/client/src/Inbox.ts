/**
 * The client's front door, for people without Effect.
 *
 * ```ts
 * const inbox = connect({ url: "https://beckon.example", token: () => fetchToken() })
 * inbox.on("state", ({ status, unread }) => render(status, unread))
 * for await (const notification of inbox) show(notification)
 * ```
 *
 * `@beckon/client/InboxClient` is the same with Effect.
 */
export { connect } from "./InboxPromise.ts"
export type {
  CallOptions,
  ConnectOptions,
  Inbox,
  InboxListeners,
  PromisePositionStorage,
  Watch,
  WatchOptions
} from "./InboxPromise.ts"
export * from "./ClientError.ts"
export type { InboxState, Status } from "./Connection.ts"
export type { Draft, Ids, ListOptions } from "./InboxCalls.ts"
export type { AllRead, Changed, InboxEvent, Notification, NotificationEvent, Page } from "./InboxEvent.ts"
export type { WebSocketConstructor, WebSocketLike } from "./Link.ts"
