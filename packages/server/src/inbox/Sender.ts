/**
 * Sends on behalf of a service of a tenant.
 */
import { Context, Effect, Layer } from "effect"
import { priorityOf } from "@beckon/domain/DeliveryOptions"
import type { Identity } from "@beckon/domain/Identity"
import { maySend } from "@beckon/domain/Identity"
import type { Send } from "@beckon/domain/InboxRpcs"
import type { Accepted, Draft } from "@beckon/domain/Notification"
import { Forbidden } from "@beckon/domain/Problem"
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
    /** Answers in the order of the request, when all are saved. Needs the role `service` or `admin`. */
    readonly send: (
      identity: Identity,
      notifications: ReadonlyArray<Send>
    ) => Effect.Effect<ReadonlyArray<Accepted>, Forbidden | Unavailable>
  }
>()("@beckon/server/inbox/Sender") {
  static readonly layer = Layer.effect(
    Sender,
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      return {
        send: Effect.fn("Sender.send")(function* (identity, notifications) {
          if (!maySend(identity)) {
            return yield* new Forbidden({ detail: "roles: sending to users needs the role service or admin" })
          }
          return yield* mailboxes.deliver(notifications.map((send) => toDraft(identity, send)))
        })
      }
    })
  )
}
