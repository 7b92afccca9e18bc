/**
 * Whose address a connection has, past the proxies that are trusted: for upgrades, which no HTTP middleware sees.
 *
 * **Details**
 *
 * The same reading of `X-Forwarded-For` as `HttpMiddleware.xForwardedHeaders`: from its end, the first address that is none of a
 * trusted proxy. Where anything of it is no address, the peer's own stands.
 */
import { Result } from "effect"
import { IpNetwork, NetAddress } from "effect/net"

const parse = (text: string): NetAddress.IpAddress | undefined => {
  const plain = text.trim()
  const ip = NetAddress.ipFromString(plain.startsWith("[") && plain.endsWith("]") ? plain.slice(1, -1) : plain)
  if (Result.isSuccess(ip)) return NetAddress.toCanonical(ip.success)
  const withPort = NetAddress.inetAddressFromString(plain)
  return Result.isSuccess(withPort) ? NetAddress.toCanonical(withPort.success.address) : undefined
}

export const of = (
  peer: string,
  forwardedFor: string | undefined,
  trustedProxies: ReadonlyArray<IpNetwork.IpNetwork>
): string | null => {
  if (peer === "") return null
  const isTrusted = (address: NetAddress.IpAddress) =>
    trustedProxies.some((network) => IpNetwork.contains(network, address))
  const direct = parse(peer)
  if (direct === undefined || forwardedFor === undefined || !isTrusted(direct)) return peer
  const hops = forwardedFor.split(",").toReversed()
  for (const [index, hop] of hops.entries()) {
    const address = parse(hop)
    if (address === undefined) return peer
    if (index === hops.length - 1 || !isTrusted(address)) return NetAddress.formatIp(address)
  }
  return peer
}
