import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Result } from "effect"
import fc from "fast-check"
import { isIPv4 } from "node:net"
import type { Resolve } from "../../src/webhook/NameResolution.ts"
import { OutboundPost } from "../../src/webhook/OutboundPost.ts"
import * as OutboundUrl from "../../src/webhook/OutboundUrl.ts"
import * as PublicAddresses from "../../src/webhook/PublicAddresses.ts"
import { onLoopback, receiver } from "./Receiver.ts"
import { harmless, tricks } from "./UrlTricks.ts"

/** Every name leads inside. */
const inside: Resolve = () => Promise.resolve(["127.0.0.1"])

/** `[first, last]` of every IPv4 network that is not public, from the registry of RFC 6890 (IANA). */
const special: ReadonlyArray<readonly [string, string]> = [
  ["0.0.0.0", "0.255.255.255"],
  ["10.0.0.0", "10.255.255.255"],
  ["100.64.0.0", "100.127.255.255"],
  ["127.0.0.0", "127.255.255.255"],
  ["168.63.129.16", "168.63.129.16"],
  ["169.254.0.0", "169.254.255.255"],
  ["172.16.0.0", "172.31.255.255"],
  ["192.0.0.0", "192.0.0.255"],
  ["192.0.2.0", "192.0.2.255"],
  ["192.31.196.0", "192.31.196.255"],
  ["192.52.193.0", "192.52.193.255"],
  ["192.88.99.0", "192.88.99.255"],
  ["192.168.0.0", "192.168.255.255"],
  ["192.175.48.0", "192.175.48.255"],
  ["198.18.0.0", "198.19.255.255"],
  ["198.51.100.0", "198.51.100.255"],
  ["203.0.113.0", "203.0.113.255"],
  ["224.0.0.0", "255.255.255.255"]
]

const numberOf = (address: string) => address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0)
const octetsOf = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255)
const isSpecial = (address: number) =>
  special.some(([first, last]) => address >= numberOf(first) && address <= numberOf(last))

/** Any address, and often one at the edge of a special network. */
const ipv4 = fc.oneof(
  fc.nat(0xffffffff),
  fc
    .tuple(fc.constantFrom(...special), fc.boolean(), fc.integer({ min: -1, max: 1 }))
    .map(([[first, last], low, by]) => Math.min(Math.max(numberOf(low ? first : last) + by, 0), 0xffffffff))
)

const spelledNumber = (value: number, how: number): string =>
  [String(value), `0${value.toString(8)}`, `0x${value.toString(16)}`, `0X00${value.toString(16).toUpperCase()}`][how] ??
  ""

/** One address in 1 to 4 parts, each decimal, octal or hexadecimal, here and there with percent signs or full-width digits. */
const spelled = fc
  .record({
    address: ipv4,
    parts: fc.integer({ min: 1, max: 4 }),
    hows: fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
    dress: fc.nat(3)
  })
  .map(({ address, dress, hows, parts }) => {
    const octets = octetsOf(address)
    const leading = octets.slice(0, parts - 1)
    const rest = octets.slice(parts - 1).reduce((sum, octet) => sum * 256 + octet, 0)
    const plain = [...leading, rest].map((value, index) => spelledNumber(value, hows[index] ?? 0)).join(".")
    const dressed = [
      plain,
      `${plain}.`,
      plain.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
      plain.replaceAll(/[\d.]/g, (char) => `%${(char.codePointAt(0) ?? 0).toString(16)}`)
    ][dress]
    return { address, text: dressed ?? plain }
  })

const rules = Effect.map(PublicAddresses.make(), (addresses) => ({ addresses, allowInsecure: true }))

describe("URLs that lead inside", () => {
  it.live(`${tricks.length} tricks reach nobody`, () =>
    Effect.gen(function* () {
      assert.isAtLeast(new Set(tricks).size, 60)
      const server = yield* receiver((response) => response.end())
      const { post } = yield* OutboundPost
      for (const trick of tricks) {
        const url = trick.replaceAll("PORT", String(server.port))
        const exit = yield* Effect.exit(post({ url, headers: {}, body: new Uint8Array(0) }))
        const code = Option.map(Exit.findErrorOption(exit), (error) => error.code)
        assert.include(["url_refused", "address_refused"], Option.getOrUndefined(code), url)
      }
      assert.strictEqual(server.connections(), 0)
    }).pipe(Effect.provide(onLoopback({ allowedNetworks: [], resolve: inside })))
  )

  it.effect("URLs of the open internet are taken", () =>
    Effect.gen(function* () {
      const allowing = yield* rules
      for (const url of harmless) assert.isTrue(Result.isSuccess(OutboundUrl.parse(url, allowing)), url)
      for (const url of harmless.filter((one) => one.startsWith("http:"))) {
        assert.isTrue(Result.isFailure(OutboundUrl.parse(url, { ...allowing, allowInsecure: false })), url)
      }
    })
  )

  it.effect("an IPv4 address is judged alike in every spelling, and as the registry says", () =>
    Effect.map(rules, (allowing) => {
      fc.assert(
        fc.property(spelled, ({ address, text }) => {
          const parsed = OutboundUrl.parse(`http://${text}/`, allowing)
          const canonical = octetsOf(address).join(".")
          if (isSpecial(address)) return Result.isFailure(parsed) && !allowing.addresses.allows(canonical)
          return (
            Result.isSuccess(parsed) && parsed.success.hostname === canonical && allowing.addresses.allows(canonical)
          )
        }),
        { numRuns: 5_000 }
      )
    })
  )

  it.effect("an address inside an IPv6 address is refused, whatever it is", () =>
    Effect.map(rules, (allowing) => {
      fc.assert(
        fc.property(ipv4, fc.nat(6), (address, how) => {
          const [a = 0, b = 0, c = 0, d = 0] = octetsOf(address)
          const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
          const dotted = `${a}.${b}.${c}.${d}`
          const text = [
            `::ffff:${dotted}`,
            `::ffff:${hex}`,
            `::${hex}`,
            `64:ff9b::${dotted}`,
            `2002:${hex}::1`,
            `2001:0:4136:e378:8000:63bf:${hex}`,
            `::ffff:0:${hex}`
          ][how]
          return (
            text !== undefined &&
            !allowing.addresses.allows(text) &&
            Result.isFailure(OutboundUrl.parse(`http://[${text}]/`, allowing))
          )
        }),
        { numRuns: 2_000 }
      )
    })
  )

  it.effect("whatever is accepted is a public address or a name, without a user, of http or https", () =>
    Effect.map(rules, (allowing) => {
      const piece = fc.oneof(
        fc.constantFrom(
          "http",
          "https",
          "://",
          ":",
          "/",
          "//",
          "\\",
          "@",
          "#",
          "?",
          "[",
          "]",
          "::1",
          "127.0.0.1",
          "0x7f",
          "."
        ),
        fc.constantFrom(
          "example.com",
          "localhost",
          "%00",
          "%40",
          "\t",
          "\n",
          " ",
          "8080",
          "22",
          "user",
          "ffff:",
          "①",
          "。"
        ),
        fc.string({ maxLength: 4, unit: "binary" })
      )
      const any = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""))
      fc.assert(
        fc.property(
          fc.oneof(
            any,
            any.map((text) => `https://${text}`)
          ),
          (text) => {
            const parsed = OutboundUrl.parse(text, allowing)
            if (Result.isFailure(parsed)) return true
            const { hostname, password, port, protocol, username } = parsed.success
            return (
              (protocol === "http:" || protocol === "https:") &&
              username === "" &&
              password === "" &&
              (port === "" || port === "80" || port === "443" || Number(port) >= 1024) &&
              (isIPv4(hostname) || hostname.startsWith("[")
                ? allowing.addresses.allows(OutboundUrl.hostOf(parsed.success))
                : true)
            )
          }
        ),
        { numRuns: 20_000 }
      )
    })
  )

  it.effect("a network that cannot be read is an error", () =>
    Effect.gen(function* () {
      for (const network of ["10.0.0.0", "10.0.0.0/33", "::1", "x/8", ""]) {
        assert.strictEqual((yield* Effect.flip(PublicAddresses.make([network]))).network, network)
      }
      const { allows } = yield* PublicAddresses.make(["10.1.0.0/16", "fd00:1::/32"])
      assert.deepStrictEqual(["10.1.2.3", "10.2.0.1", "fd00:1::5", "fd00:2::5", "::ffff:10.1.2.3"].map(allows), [
        true,
        false,
        true,
        false,
        false
      ])
    })
  )
})
