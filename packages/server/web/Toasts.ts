/**
 * Short messages that go by themselves; what they tell stays in the list.
 */

const lifetimeMillis = 6_000
const most = 2

export interface Toast {
  readonly title: string
  readonly message: string
  /** How long it took from the click to here. */
  readonly tookMillis?: number | undefined
}

export interface Toasts {
  readonly show: (toast: Toast) => void
}

const text = (tag: "strong" | "span", className: string, content: string): HTMLElement => {
  const element = document.createElement(tag)
  element.className = className
  element.textContent = content
  return element
}

/** Toasts for the person called `name`. */
export const make = (container: HTMLElement, name: string): Toasts => ({
  show: ({ message, title, tookMillis }) => {
    const toast = document.createElement("div")
    toast.className = "toast"
    const heading = text("strong", "heading", "")
    heading.append(text("span", "for", `${name}: `), title)
    // The spaces are for those who listen.
    toast.append(heading, " ")
    if (tookMillis !== undefined) toast.append(text("span", "took", `${tookMillis} ms`), " ")
    toast.append(text("span", "message", message))
    while (container.childElementCount >= most) container.firstElementChild?.remove()
    container.append(toast)
    setTimeout(() => toast.remove(), lifetimeMillis)
  }
})
