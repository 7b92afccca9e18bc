/**
 * The demo page: two people side by side, each with a connection of its own, and a backend that sends to either.
 */
import * as Api from "./Api.ts"
import { find, setText } from "./Elements.ts"
import type { Person } from "./Feed.ts"
import * as Panel from "./Panel.ts"

/** `?pair=xyz` makes two people who have never met: alice-xyz and bob-xyz. */
const pairOf = (search: string): string | undefined => {
  const pair = new URLSearchParams(search).get("pair")
  return pair !== null && /^[a-z0-9-]{1,24}$/i.test(pair) ? pair : undefined
}

const freshPair = (): string => {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1))
  return `/?pair=${random.toString(36)}`
}

const service = { sub: "demo-backend", name: "Demo backend", roles: ["service"] }

const start = async () => {
  const pair = pairOf(location.search)
  const person = (name: string): Person => ({
    name,
    id: pair === undefined ? name.toLowerCase() : `${name.toLowerCase()}-${pair}`
  })
  const alice = person("Alice")
  const bob = person("Bob")
  const newPair = freshPair()
  find(document, "#new-pair", HTMLAnchorElement).href = newPair

  let serviceToken = await Api.issueToken(service)
  const people = find(document, "#people", HTMLElement)
  const panels = new Map<string, Panel.Panel>()
  const mount = (one: Person, other: Person) =>
    panels.set(
      one.id,
      Panel.mount(people, {
        person: one,
        other,
        newPair,
        onSend: (sending) => panels.get(other.id)?.expect(sending)
      })
    )
  mount(alice, bob)
  mount(bob, alice)

  const form = find(document, "#service-form", HTMLFormElement)
  const to = find(form, "select", HTMLSelectElement)
  const text = find(form, "input", HTMLInputElement)
  const result = find(document, "#service-result", HTMLElement)
  for (const { id, name } of [bob, alice]) to.add(new Option(name, id))

  const send = async (userId: string, message: string): Promise<void> => {
    const sending = Api.sendAsService(serviceToken, userId, message).catch(async (error: unknown) => {
      if (!(error instanceof Api.Refused && error.status === 401)) throw error
      serviceToken = await Api.issueToken(service)
      return Api.sendAsService(serviceToken, userId, message)
    })
    panels.get(userId)?.expect(sending)
    const { data } = await sending
    const seq = typeof data === "object" && data !== null && "seq" in data ? ` as number ${String(data.seq)}` : ""
    setText(result, `Saved${seq} for ${userId}.`)
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    send(to.value, text.value).catch((error: unknown) =>
      setText(result, `Not sent: ${error instanceof Error ? error.message : String(error)}`)
    )
  })
}

start().catch((error: unknown) => {
  const banner = find(document, "#banner", HTMLElement)
  banner.hidden = false
  banner.textContent =
    error instanceof Api.Refused && error.status === 404
      ? "This demo needs embedded mode: it asks /dev/token for two people's tokens, and this server has no such route. Start Beckon without DATABASE_URL and open the page on the same machine."
      : `The demo cannot start: ${error instanceof Error ? error.message : String(error)}`
})
