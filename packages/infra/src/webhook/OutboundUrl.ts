/**
 * The URLs that a stranger may give to be called.
 *
 * **Details**
 *
 * The URL standard's parser makes one form of every spelling of a host: decimal, octal, hexadecimal and short IPv4, full-width digits,
 * percent signs. What is judged here is that form, and it is the one that is called. Whether a name leads to a public address is
 * only known when it is looked up, and judged then (`GuardedAgents`).
 */
import { Result, Schema } from "effect"
import { isIP } from "node:net"
import type { PublicAddresses } from "./PublicAddresses.ts"

/** `reason` is for whoever gave the URL. */
export class UrlRefused extends Schema.TaggedError<UrlRefused>()("UrlRefused", {
  code: Schema.Literals(["url_refused", "address_refused"]),
  reason: Schema.String
}) {
  override get message() {
    return this.reason
  }
}

export interface UrlRules {
  readonly addresses: PublicAddresses
  /** Whether http is good enough. */
  readonly allowInsecure: boolean
}

const refuse = (reason: string, code: UrlRefused["code"] = "url_refused") =>
  Result.fail(new UrlRefused({ code, reason }))

/** Ports below 1024 belong to other protocols, which an HTTP request may still confuse. */
const isPortAllowed = (port: string): boolean => port === "" || port === "80" || port === "443" || Number(port) >= 1024

/** Labels of letters, digits, hyphens and underscores; without the dot of the root, which certificates do not have. */
const name = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** The host as an address or name, without the brackets of IPv6. */
export const hostOf = ({ hostname }: URL): string => (hostname.startsWith("[") ? hostname.slice(1, -1) : hostname)

/** Scheme, slashes, authority, as every parser reads them. */
const plain = /^https?:\/\/([^/?#\s\\]+)(?:[/?#][^\s\\]*)?$/i

export const parse = (text: string, { addresses, allowInsecure }: UrlRules): Result.Result<URL, UrlRefused> => {
  const authority = plain.exec(text)?.[1]
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || authority === undefined) return refuse("not a whole URL of http or https")
  if (url.protocol !== "https:" && !(allowInsecure && url.protocol === "http:")) return refuse("only https")
  // The parser drops an empty user name, so the text itself is asked.
  if (authority.includes("@")) return refuse("without a user name or password")
  if (!isPortAllowed(url.port)) return refuse("only the ports 80, 443 and those from 1024 on")
  const host = hostOf(url)
  if (isIP(host) !== 0)
    return addresses.allows(host) ? Result.succeed(url) : refuse("not a public address", "address_refused")
  return name.test(host) ? Result.succeed(url) : refuse("not the name of a host")
}
