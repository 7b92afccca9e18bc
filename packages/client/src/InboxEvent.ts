/**
 * What a consumer of the inbox sees: the server's frames, decoded leniently.
 *
 * **Details**
 *
 * A newer server may send frames, fields and priorities that this client does not know. Unknown fields are dropped, unknown
 * priorities are passed on as they are, and a frame that is not understood becomes an `Unknown` event; none of them ends the
 * subscription.
 */
import { Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as Frame from "@beckon/domain/InboxFrame"
import { InboxRpcs } from "@beckon/domain/InboxRpcs"
import * as Rpcs from "@beckon/domain/InboxRpcs"
import * as Domain from "@beckon/domain/Notification"
import { NotificationId } from "@beckon/domain/Identifiers"
import { Sequence } from "@beckon/domain/Position"

const AnyPriority: Schema.Codec<Domain.Priority | (string & {}), string> = Schema.String

/** A notification as this client reads it: any type and any priority. */
export const Notification = Schema.Struct({
  ...Domain.Notification.fields,
  id: NotificationId,
  type: Schema.String,
  priority: AnyPriority
})
export type Notification = typeof Notification.Type

export const NotificationEvent = Schema.TaggedStruct("Notification", {
  notification: Notification,
  unread: Sequence
})
export type NotificationEvent = typeof NotificationEvent.Type

export type Changed = typeof Frame.Changed.Type
export type AllRead = typeof Frame.AllRead.Type

const Known = Schema.Union([Frame.Subscribed, NotificationEvent, Frame.Changed, Frame.AllRead, Frame.CaughtUp])

/** A frame that this client does not understand, as it came. */
export interface Unknown {
  readonly _tag: "Unknown"
  readonly raw: unknown
}

/**
 * `Subscribed` comes after every (re)connect. When its `recovered` is false, notifications may have been missed: what follows
 * is recent unread ones only, so a view that shows more should list again.
 */
export type InboxEvent = typeof Known.Type | Unknown

const decodeKnown = Schema.decodeUnknownOption(Known)

/** Decodes one value of the subscription's stream; never fails. */
export const decode = (raw: unknown): InboxEvent =>
  Option.getOrElse(decodeKnown(raw), (): InboxEvent => ({ _tag: "Unknown", raw }))

/** A page of the list, with lenient notifications. */
export const Page = Schema.Struct({ ...Rpcs.Page.fields, items: Schema.Array(Notification) })
export type Page = typeof Page.Type

/** The group as the client speaks it: the same wire, but what a newer server may extend is decoded leniently. */
export class ClientRpcs extends InboxRpcs.omit("Subscribe", "List").add(
  Rpc.make("Subscribe", {
    payload: Rpcs.Subscribe.payloadSchema.fields,
    success: Schema.Unknown,
    error: Rpcs.Subscribe.successSchema.error,
    stream: true
  }),
  Rpc.make("List", {
    payload: Rpcs.List.payloadSchema.fields,
    success: Page,
    error: Rpcs.List.errorSchema
  })
) {}
