/**
 * Names to addresses, straight from the name servers.
 *
 * **Details**
 *
 * The system's own lookup blocks one of a few threads that files need too: slow name servers of a stranger would stop the process. The
 * queries here wait for nobody, and know neither the hosts file nor search domains, so that a short name never becomes an
 * internal one. `localhost` leads to the loopback (RFC 6761, 6.3), which is refused unless that network is allowed.
 *
 * **Gotchas**
 *
 * A name server with DNS64 adds addresses of 64:ff9b::/96, which the guard refuses as it cannot know where they end.
 */
import { Resolver } from "node:dns/promises"

/** Addresses of a name, in the order in which they are to be tried; rejects, or gives none, when there are none. */
export type Resolve = (hostname: string) => Promise<ReadonlyArray<string>>

export interface ResolverOptions {
  /** `address` or `address:port` of name servers, instead of those of the system. */
  readonly servers?: ReadonlyArray<string>
  /** Milliseconds for one query to one server, of which there are two. */
  readonly timeout?: number
}

const isLocalhost = (hostname: string): boolean => hostname === "localhost" || hostname.endsWith(".localhost")

export const systemResolve = ({ servers, timeout = 1_500 }: ResolverOptions = {}): Resolve => {
  const resolver = new Resolver({ timeout, tries: 2 })
  if (servers !== undefined) resolver.setServers([...servers])
  return async (hostname) => {
    if (isLocalhost(hostname)) return ["127.0.0.1", "::1"]
    const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
    // Many servers have no IPv6 of their own, so IPv4 goes first.
    const found = [four, six].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []))
    if (found.length === 0 && four.status === "rejected") throw four.reason
    return found
  }
}
