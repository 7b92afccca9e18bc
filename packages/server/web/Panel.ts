/**
 * One person's side of the page.
 */
import type { Status } from "@beckon/client"
import * as Api from "./Api.ts"
import { copyOf, find, link, setText } from "./Elements.ts"
import * as Entry from "./Entry.ts"
import * as Feed from "./Feed.ts"
import type { Person } from "./Feed.ts"
import { newestFirst } from "./InboxView.ts"
import * as Toasts from "./Toasts.ts"

export interface PanelOptions {
  readonly person: Person
  readonly other: Person
  /** Where to start over with two people who have never met. */
  readonly newPair: string
  /** Something is on its way to the other side. */
  readonly onSend: (sending: Promise<unknown>) => void
}

export interface Panel {
  /** Something for this person is on its way from now on: how long it takes is shown. */
  readonly expect: (sending: Promise<unknown>) => void
}

const statusTexts: Readonly<Record<Status, string>> = {
  connecting: "Connecting",
  live: "Live",
  offline: "Offline",
  closed: "Closed"
}

const recoveryTexts: Readonly<Record<Feed.FeedState["recovery"], string>> = {
  none: "",
  first: "first visit",
  recovered: "last reconnect: recovered",
  reloaded: "last reconnect: not recovered, list loaded anew"
}

const plural = (count: number) => `${count} notification${count === 1 ? "" : "s"}`

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Adds the panel to `root` and connects. */
export const mount = (root: HTMLElement, { newPair, onSend, other, person }: PanelOptions): Panel => {
  const card = copyOf("person-template")
  const heading = find(card, "h2", HTMLElement)
  const statusText = find(card, ".status-text", HTMLElement)
  const bell = find(card, ".bell", HTMLButtonElement)
  const badge = find(card, ".badge", HTMLElement)
  const befriend = find(card, ".befriend", HTMLButtonElement)
  const notice = find(card, ".notice", HTMLElement)
  const panel = find(card, ".panel", HTMLElement)
  const listHeading = find(panel, "h3", HTMLElement)
  const readAll = find(card, ".read-all", HTMLButtonElement)
  const list = find(card, ".list", HTMLUListElement)
  const empty = find(card, ".empty", HTMLElement)
  const older = find(card, ".older", HTMLButtonElement)
  const network = find(card, ".switch input", HTMLInputElement)
  const seq = find(card, ".seq", HTMLElement)
  const recovery = find(card, ".recovery", HTMLElement)
  const toasts = Toasts.make(find(card, ".toasts", HTMLElement), person.name)
  const entries = new Map<string, Entry.Entry>()
  let expectedSince: number | undefined

  card.dataset["user"] = person.id
  card.setAttribute("aria-labelledby", `${person.id}-name`)
  heading.id = `${person.id}-name`
  heading.textContent = person.name
  const avatar = find(card, ".avatar", HTMLElement)
  avatar.textContent = person.name.slice(0, 1)
  avatar.classList.toggle("second", person.name > other.name)
  panel.id = `${person.id}-panel`
  bell.setAttribute("aria-controls", panel.id)
  listHeading.tabIndex = -1
  list.setAttribute("aria-label", `Notifications of ${person.name}`)
  befriend.textContent = `Send friend request to ${other.name}`
  readAll.setAttribute("aria-label", `Mark all read for ${person.name}`)
  network.setAttribute("aria-label", `Network of ${person.name}`)

  const tell = (text: string | undefined, offersNewPair = false) => {
    notice.hidden = text === undefined
    notice.replaceChildren(text ?? "")
    if (offersNewPair) notice.append(" ", link(newPair, "Start with a new pair"))
  }
  const failed = (error: unknown) => tell(`That did not work: ${messageOf(error)}`)
  /** Runs an action of the person; its failure is shown. */
  const act = (run: () => Promise<unknown>) => {
    tell(undefined)
    run().catch(failed)
  }

  const feed = Feed.open(person, {
    changed: () => {
      scheduled ??= setTimeout(render, 0)
    },
    arrived: ({ message, title }) => {
      // The time is until the person can see it, so it is shown first.
      if (expectedSince !== undefined) render()
      const tookMillis =
        expectedSince === undefined ? undefined : Math.max(1, Math.round(performance.now() - expectedSince))
      expectedSince = undefined
      toasts.show({ title, message, tookMillis })
    },
    caughtUp: (count) =>
      toasts.show({ title: "Back online", message: `${plural(count)} came while ${person.name} was away.` }),
    failed
  })
  const { inbox } = feed
  let scheduled: ReturnType<typeof setTimeout> | undefined

  const actions: Entry.EntryActions = {
    toggleRead: ({ id, readAt }) => act(() => (readAt === null ? inbox.markRead([id]) : inbox.markUnread([id]))),
    remove: ({ id }) => act(() => inbox.delete([id])),
    answer: ({ id, readAt }, friendshipId, accept) =>
      act(async () => {
        const answering = feed.answer(friendshipId, accept)
        onSend(answering)
        await answering
        if (readAt === null) await inbox.markRead([id])
      })
  }

  const renderList = ({ friendships, items, status }: Feed.FeedState) => {
    const focused = document.activeElement
    let before: Element | null = list.firstElementChild
    for (const item of newestFirst(items)) {
      const entry = entries.get(item.id) ?? Entry.make(item, actions)
      entries.set(item.id, entry)
      const request = Entry.requestOf(item)
      entry.show(item, request && friendships.get(request), status === "live")
      if (entry.element === before) before = before.nextElementSibling
      else list.insertBefore(entry.element, before)
    }
    for (const [id, { element }] of entries) {
      if (items.has(id)) continue
      if (element.contains(focused)) {
        const neighbour = element.nextElementSibling ?? element.previousElementSibling
        ;(neighbour?.querySelector<HTMLElement>(".delete") ?? listHeading).focus()
      }
      element.remove()
      entries.delete(id)
    }
    // An answer hides its buttons: the focus goes on to the entry's next one.
    if (focused instanceof HTMLElement && focused.closest(".answer[hidden]") !== null) {
      focused.closest(".entry")?.querySelector<HTMLElement>(".toggle")?.focus()
    }
  }

  const render = () => {
    clearTimeout(scheduled)
    scheduled = undefined
    const state = feed.state()
    const isLive = state.status === "live"
    card.dataset["status"] = state.status
    card.dataset["recovery"] = state.recovery
    setText(statusText, statusTexts[state.status])
    badge.hidden = state.unread === 0
    setText(badge, state.unread > 99 ? "99+" : String(state.unread))
    bell.setAttribute("aria-label", `Notifications of ${person.name}, ${state.unread} unread`)
    readAll.disabled = !isLive || state.unread === 0
    befriend.disabled = !isLive
    empty.hidden = state.items.size > 0
    // Without a control to tab to, the list itself must be reachable, or nobody could scroll it by keyboard.
    list.tabIndex = isLive ? -1 : 0
    older.hidden = !state.hasOlder
    older.disabled = !isLive
    setText(seq, `Position ${state.seq ?? "–"}`)
    const caughtUp = state.missed > 0 ? `, ${state.missed} caught up` : ""
    setText(recovery, state.recovery === "none" ? "" : `· ${recoveryTexts[state.recovery]}${caughtUp}`)
    renderList(state)
    if (state.status === "closed")
      tell(`The connection is closed: ${state.reason ?? "no reason given"}. Reload to connect again.`)
  }

  befriend.addEventListener("click", () => {
    tell(undefined)
    const sending = Api.sendFriendRequest(feed.token(), person.id, other.id)
    onSend(sending)
    sending.catch((error: unknown) => {
      if (error instanceof Api.Refused && error.status === 409)
        tell(`Nothing sent. The server says “${error.message}”.`, true)
      else failed(error)
    })
  })
  readAll.addEventListener("click", () => act(() => inbox.markAllRead()))
  older.addEventListener("click", () => act(feed.loadOlder))
  bell.addEventListener("click", () => {
    panel.hidden = !panel.hidden
    bell.setAttribute("aria-expanded", String(!panel.hidden))
  })
  network.addEventListener("change", () => {
    tell(network.checked ? undefined : `${person.name} is offline. What arrives meanwhile waits on the server.`)
    ;(network.checked ? inbox.resume() : inbox.pause()).catch(failed)
  })
  setInterval(render, 30_000)

  render()
  root.append(card)
  return {
    expect: (sending) => {
      const since = network.checked ? performance.now() : undefined
      expectedSince = since
      sending.catch(() => {
        if (expectedSince === since) expectedSince = undefined
      })
    }
  }
}
