/**
 * The page's elements, found by selector and checked.
 */

/** The one element that the page must have; throws when it has not. */
export const find = <E extends Element>(root: ParentNode, selector: string, type: abstract new () => E): E => {
  const element = root.querySelector(selector)
  if (!(element instanceof type)) throw new TypeError(`The page has no ${selector}`)
  return element
}

/** A copy of a template's only element. */
export const copyOf = (id: string): HTMLElement => {
  const template = find(document, `#${id}`, HTMLTemplateElement)
  const copy = document.importNode(template.content, true).firstElementChild
  if (!(copy instanceof HTMLElement)) throw new TypeError(`The template #${id} is empty`)
  return copy
}

/** Sets a text only when it differs, so that live regions do not speak twice. */
export const setText = (element: Element, text: string): void => {
  if (element.textContent !== text) element.textContent = text
}

export const link = (href: string, text: string): HTMLAnchorElement => {
  const anchor = document.createElement("a")
  anchor.href = href
  anchor.textContent = text
  return anchor
}
