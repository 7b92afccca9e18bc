/**
 * How the client fails: every error that a caller can act on, apart from the server's own problems (`@beckon/domain/Problem`).
 */
import { Schema } from "effect"

/** There was no connection within the waiting time; nothing was sent. */
export class NotConnected extends Schema.TaggedError<NotConnected>()("NotConnected", {
  call: Schema.String,
  waitedMillis: Schema.Number
}) {
  override get message() {
    return `${this.call}: no connection within ${this.waitedMillis} ms`
  }
}

/** The link broke while the call was on its way, and repeating it could do it twice: whether it happened is not known. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", { call: Schema.String }) {
  override get message() {
    return `${this.call}: the connection broke before the answer came`
  }
}

/** What was asked breaks the protocol's schema, on either side of the wire. */
export class BadRequest extends Schema.TaggedError<BadRequest>()("BadRequest", { message: Schema.String }) {}

/**
 * The client will not come back by itself. `closed`: its owner closed it; `refused`: the token was refused; `rejected`: the
 * server closed the socket with a code that forbids coming back (`@beckon/domain/CloseReason`).
 */
export class InboxClosed extends Schema.TaggedError<InboxClosed>()("InboxClosed", {
  reason: Schema.Literals(["closed", "refused", "rejected"]),
  /** The WebSocket close code or the HTTP status that ended it, where there was one. */
  code: Schema.optionalKey(Schema.Int),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** A connection did not open or broke; the client comes back by itself. `code` is the WebSocket close code. */
export class LinkFailed extends Schema.TaggedError<LinkFailed>()("LinkFailed", {
  message: Schema.String,
  code: Schema.optionalKey(Schema.Int),
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** The token provider failed; the client asks it again. */
export class TokenUnavailable extends Schema.TaggedError<TokenUnavailable>()("TokenUnavailable", {
  cause: Schema.Defect()
}) {
  override get message() {
    return "the token provider failed"
  }
}

/** The position could not be loaded or saved; the client goes on without. */
export class StorageFailed extends Schema.TaggedError<StorageFailed>()("StorageFailed", { cause: Schema.Defect() }) {
  override get message() {
    return "the position could not be loaded or saved"
  }
}

/** The topic is watched no more: the right to has ended. */
export class TopicEnded extends Schema.TaggedError<TopicEnded>()("TopicEnded", {
  topic: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.topic}: ${this.reason}`
  }
}

/** Any failure of a call that is not the server's answer. */
export type CallError = NotConnected | ConnectionLost | BadRequest | InboxClosed

/** What may stand in `state.lastError`. */
export type ConnectionError = LinkFailed | TokenUnavailable | StorageFailed | InboxClosed
