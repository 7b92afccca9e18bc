/** Frames as mailboxes write them. */
import { DateTime } from "effect"
import { NotificationId } from "@beckon/domain/Identifiers"
import * as InboxFrame from "@beckon/domain/InboxFrame"
import type { OutFrame } from "../../src/mailbox/FrameOutlet.ts"

export const notification = (seq: number, message = "m"): OutFrame => ({
  json: InboxFrame.encode({
    _tag: "Notification",
    notification: {
      id: NotificationId.make(`n-${seq}`),
      seq,
      type: "order_created",
      title: "t",
      message,
      priority: "low",
      createdAt: DateTime.makeUnsafe(0),
      readAt: null
    },
    unread: seq
  }),
  seq
})
