/**
 * The service account of a tenant at its user service, kept together with the origin that it was given for: it goes nowhere
 * else, whatever URL is set later.
 */
import { Option, Redacted } from "effect"

const label = "service account at the user service"

const originOfUrl = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "")

/** An origin has no blanks. */
const split = (kept: Redacted.Redacted): readonly [origin: string, authorization: string] => {
  const text = Redacted.value(kept)
  const at = text.indexOf(" ")
  return [text.slice(0, at), text.slice(at + 1)]
}

/** As it is kept. */
export const bind = (url: string, authorization: string): Redacted.Redacted =>
  Redacted.make(`${originOfUrl(url)} ${authorization}`, { label })

export const originOf = (kept: Redacted.Redacted): string => split(kept)[0]

export const isFor = (kept: Redacted.Redacted, url: string): boolean => originOf(kept) === originOfUrl(url)

/** What goes into `Authorization` of a call of this URL. */
export const authorizationFor = (kept: Redacted.Redacted, url: string): Option.Option<Redacted.Redacted> =>
  isFor(kept, url) ? Option.some(Redacted.make(split(kept)[1], { label })) : Option.none()
