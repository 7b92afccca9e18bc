/**
 * One notification in a panel's list.
 */
import { DateTime } from "effect"
import type { Notification } from "@beckon/client"
import { copyOf, find, setText } from "./Elements.ts"
import { ago } from "./InboxView.ts"

export interface EntryActions {
  readonly toggleRead: (notification: Notification) => void
  readonly remove: (notification: Notification) => void
  readonly answer: (notification: Notification, friendshipId: string, accept: boolean) => void
}

export interface Entry {
  readonly element: HTMLElement
  /** `friendship` is the status of the friend request that this is about, where it is known. */
  readonly show: (notification: Notification, friendship: string | undefined, isEnabled: boolean) => void
}

/** The friend request that a notification asks to be answered. */
export const requestOf = (notification: Notification): string | undefined => {
  const id = notification.data?.["friendshipId"]
  return notification.type === "FRIEND_REQUEST_RECEIVED" && typeof id === "string" ? id : undefined
}

const answers: Readonly<Record<string, string>> = {
  ACCEPTED: "Accepted",
  REJECTED: "Declined",
  CANCELLED: "Withdrawn"
}

export const make = (first: Notification, actions: EntryActions): Entry => {
  let shown = first
  const element = copyOf("entry-template")
  const mark = find(element, ".mark", HTMLElement)
  const title = find(element, ".title-text", HTMLElement)
  const time = find(element, "time", HTMLTimeElement)
  const message = find(element, ".message", HTMLElement)
  const answer = find(element, ".answer", HTMLElement)
  const answered = find(element, ".answered", HTMLElement)
  const accept = find(element, ".accept", HTMLButtonElement)
  const decline = find(element, ".decline", HTMLButtonElement)
  const toggle = find(element, ".toggle", HTMLButtonElement)
  const remove = find(element, ".delete", HTMLButtonElement)

  const respond = (isAccepted: boolean) => {
    const friendshipId = requestOf(shown)
    if (friendshipId !== undefined) actions.answer(shown, friendshipId, isAccepted)
  }
  accept.addEventListener("click", () => respond(true))
  decline.addEventListener("click", () => respond(false))
  toggle.addEventListener("click", () => actions.toggleRead(shown))
  remove.addEventListener("click", () => actions.remove(shown))

  return {
    element,
    show: (notification, friendship, isEnabled) => {
      shown = notification
      const isUnread = notification.readAt === null
      const friendshipId = requestOf(notification)
      element.dataset["id"] = notification.id
      element.dataset["seq"] = String(notification.seq)
      element.classList.toggle("unread", isUnread)
      setText(mark, isUnread ? "Unread" : "")
      setText(title, notification.title)
      setText(message, notification.message)
      time.dateTime = DateTime.formatIso(notification.createdAt)
      setText(time, ago(notification.createdAt, Date.now()))
      answer.hidden = friendshipId === undefined || friendship !== "PENDING"
      const outcome = friendshipId === undefined ? undefined : answers[friendship ?? ""]
      answered.hidden = outcome === undefined
      setText(answered, outcome ?? "")
      setText(toggle, isUnread ? "Mark read" : "Mark unread")
      toggle.setAttribute("aria-label", `${isUnread ? "Mark read" : "Mark unread"}: ${notification.message}`)
      remove.setAttribute("aria-label", `Delete: ${notification.message}`)
      accept.setAttribute("aria-label", `Accept: ${notification.message}`)
      decline.setAttribute("aria-label", `Decline: ${notification.message}`)
      for (const button of [accept, decline, toggle, remove]) button.disabled = !isEnabled
    }
  }
}
