/**
 * Sends on behalf of a service of a tenant.
 */
import { Context, Effect, Layer } from "effect"
import { priorityOf } from "@beckon/domain/DeliveryOptions"
import type { Identity } from "@beckon/domain/Identity"
import type { Send } from "@beckon/domain/InboxRpcs"
import type { Accepted, Draft } from "@beckon/domain/Notification"
import type { Unavailable } from "@beckon/domain/Problem"
import { Mailboxes } from "../mailbox/Mailboxes.ts"

const toDraft = (identity: Identity, send: Send): Draft => ({
  ...send,
  tenantId: identity.tenantId,
  priority: send.priority ?? (send.urgency === undefined ? "medium" : priorityOf(send.urgency)),
  source: "api"
})

export class Sender extends Context.Service<
  Sender,
  {
    /** Answers in the order of the request, when all are saved. */
    readonly send: (
      identity: Identity,
      notifications: ReadonlyArray<Send>
    ) => Effect.Effect<ReadonlyArray<Accepted>, Unavailable>
  }
>()("@beckon/server/inbox/Sender") {
  static readonly layer = Layer.effect(
    Sender,
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      return {
        send: Effect.fn("Sender.send")(function* (identity, notifications) {
          return yield* mailboxes.deliver(notifications.map((send) => toDraft(identity, send)))
        })
      }
    })
  )
}
