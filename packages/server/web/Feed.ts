/**
 * One person's inbox as the page follows it: the connection, the list, and which friend requests still wait for an answer.
 */
import { connect } from "@beckon/client"
import type { Inbox, InboxEvent, Notification, Status } from "@beckon/client"
import * as Api from "./Api.ts"
import { requestOf } from "./Entry.ts"
import * as View from "./InboxView.ts"

export interface Person {
  readonly id: string
  readonly name: string
}

export interface FeedState {
  readonly status: Status
  /** Why the connection ended for good. */
  readonly reason: string | undefined
  readonly seq: number | undefined
  readonly unread: number
  readonly items: View.Items
  readonly hasOlder: boolean
  /** By friendship id. */
  readonly friendships: ReadonlyMap<string, string>
  readonly recovery: "none" | "first" | "recovered" | "reloaded"
  /** How many notifications the last reconnect brought. */
  readonly missed: number
}

export interface FeedListeners {
  readonly changed: () => void
  /** A notification came while the link was live. */
  readonly arrived: (notification: Notification) => void
  /** A reconnect brought what was missed. */
  readonly caughtUp: (count: number) => void
  readonly failed: (error: unknown) => void
}

export interface Feed {
  readonly state: () => FeedState
  readonly inbox: Inbox
  /** The newest token, for HTTP calls. */
  readonly token: () => string
  readonly answer: (friendshipId: string, accept: boolean) => Promise<void>
  readonly loadOlder: () => Promise<void>
}

const pageSize = 50

export const open = (person: Person, listeners: FeedListeners): Feed => {
  const storageKey = `beckon.position.${person.id}`
  const stored = sessionStorage.getItem(storageKey)
  let token = ""
  let state: FeedState = {
    status: "connecting",
    reason: undefined,
    seq: undefined,
    unread: 0,
    items: new Map(),
    hasOlder: false,
    friendships: new Map(),
    recovery: "none",
    missed: 0
  }
  const update = (patch: Partial<FeedState>) => {
    state = { ...state, ...patch }
    listeners.changed()
  }

  const inbox = connect({
    url: location.origin,
    token: async () => (token = await Api.issueToken({ sub: person.id, name: person.name })),
    backoff: { max: "3 seconds" },
    storage: {
      load: () => JSON.parse(stored ?? "null"),
      save: (position) => sessionStorage.setItem(storageKey, JSON.stringify(position))
    }
  })

  let isListed = false
  let isReplaying = false
  let hadPosition = stored !== null
  let cursor: string | undefined
  /** Events that came while a list was on its way. */
  let meanwhile: Array<InboxEvent> = []

  const loadPage = async (from: View.Items, at: string | undefined) => {
    const during: Array<InboxEvent> = []
    meanwhile = during
    const page = await inbox.list({ limit: pageSize, ...(at === undefined ? {} : { cursor: at }) })
    // A newer load has taken over.
    if (meanwhile !== during) return
    isListed = true
    cursor = page.nextCursor ?? undefined
    update({
      items: during.reduce(View.apply, View.add(from, page)),
      hasOlder: cursor !== undefined,
      ...(during.length === 0 ? { unread: page.unread } : {})
    })
  }

  const loadFriendships = async () => {
    const friendships = new Map(state.friendships)
    for (const [id, status] of await Api.listFriendships(token)) {
      // An answer that was just given is newer than the list.
      if (status !== "PENDING" || !friendships.has(id)) friendships.set(id, status)
    }
    update({ friendships })
  }

  const caughtUp = () => {
    isReplaying = false
    const isRecovered = state.recovery === "recovered"
    if (isRecovered && state.missed > 0) listeners.caughtUp(state.missed)
    if (!isRecovered || !isListed) loadPage(isRecovered ? state.items : new Map(), undefined).catch(listeners.failed)
    loadFriendships().catch(listeners.failed)
  }

  const isOpenRequest = (id: string): boolean => {
    const item = state.items.get(id)
    const request = item && requestOf(item)
    return request !== undefined && state.friendships.get(request) === "PENDING"
  }

  const arrived = (notification: Notification) => {
    const request = requestOf(notification)
    if (request !== undefined && !state.friendships.has(request)) {
      update({ friendships: new Map(state.friendships).set(request, "PENDING") })
    }
    if (!isReplaying) listeners.arrived(notification)
    else if (state.recovery === "recovered") update({ missed: state.missed + 1 })
  }

  inbox.on("event", (event) => {
    meanwhile.push(event)
    const touchesRequest = event._tag === "Changed" && event.changes.some(({ id }) => isOpenRequest(id))
    update({ items: View.apply(state.items, event), ...("unread" in event ? { unread: event.unread } : {}) })
    if (event._tag === "Subscribed") {
      isReplaying = true
      update({ recovery: event.recovered ? "recovered" : hadPosition ? "reloaded" : "first", missed: 0 })
      hadPosition = true
    }
    if (event._tag === "Notification") arrived(event.notification)
    if (event._tag === "CaughtUp") caughtUp()
    // Perhaps answered in another tab.
    if (touchesRequest) loadFriendships().catch(listeners.failed)
  })
  inbox.on("state", ({ lastError, position, status }) =>
    update({ status, seq: position?.seq, reason: status === "closed" ? lastError?.message : undefined })
  )

  return {
    state: () => state,
    inbox,
    token: () => token,
    answer: async (friendshipId, accept) => {
      await Api.respondToRequest(token, friendshipId, person.id, accept)
      update({ friendships: new Map(state.friendships).set(friendshipId, accept ? "ACCEPTED" : "REJECTED") })
    },
    loadOlder: () => loadPage(state.items, cursor)
  }
}
