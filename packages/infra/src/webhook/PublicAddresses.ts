/**
 * Which addresses a URL that a stranger chose may lead to: public unicast ones, and networks that the deployment names.
 *
 * **Details**
 *
 * IPv4: everything that the registries of special-purpose addresses (RFC 6890) leave over. IPv6: only 2000::/3, less its special
 * ranges. What carries an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo) is refused, whatever it carries: a
 * gateway would unpack it behind this check.
 */
import ipaddr from "ipaddr.js"
import { Effect, Schema } from "effect"

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Network = readonly [Address, number]

/** A network that is not written as `address/bits`. */
export class NetworkInvalid extends Schema.TaggedError<NetworkInvalid>()("NetworkInvalid", {
  network: Schema.String
}) {
  override get message() {
    return `"${this.network}" is no network: write it like 10.1.0.0/16 or fd00:1::/32`
  }
}

export interface PublicAddresses {
  /** Takes an address in its usual form, without brackets; what is no address is not allowed. */
  readonly allows: (address: string) => boolean
}

const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3")
/** Looks public, and is how Azure's host talks to its guests. */
const azureHost = ipaddr.IPv4.parse("168.63.129.16").toString()

const isPublic = (address: Address): boolean => {
  if (address.range() !== "unicast") return false
  return address instanceof ipaddr.IPv4 ? address.toString() !== azureHost : address.match(globalUnicast)
}

const isWithin = (address: Address, [network, bits]: Network): boolean =>
  address.kind() === network.kind() && address.match(network, bits)

const parse = (text: string): Address | undefined => {
  // Shorter and hexadecimal forms are never what a resolver or the URL parser gives.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text)
  return ipaddr.IPv6.isValid(text) && !text.includes("%") ? ipaddr.IPv6.parse(text) : undefined
}

const networkOf = (network: string) =>
  Effect.try({ try: (): Network => ipaddr.parseCIDR(network), catch: () => new NetworkInvalid({ network }) })

/** `allowed`: networks in CIDR notation that are no stranger's to choose but are wanted here, for tests and for on-premises receivers. */
export const make = (allowed: ReadonlyArray<string> = []): Effect.Effect<PublicAddresses, NetworkInvalid> =>
  Effect.map(Effect.forEach(allowed, networkOf), (networks) => ({
    allows: (text) => {
      const address = parse(text)
      return address !== undefined && (isPublic(address) || networks.some((network) => isWithin(address, network)))
    }
  }))
