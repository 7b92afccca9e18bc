/**
 * The settings of HTTP calls: who is believed, how often callers may call, how long answers are told again; part of the table in
 * `Settings.ts`.
 */
import { Config, Duration, Option, Result, Schema } from "effect"
import { IpNetwork } from "effect/net"
import { RateLimit } from "@beckon/domain/Tenant"
import { setting } from "./Setting.ts"

const limitShape = /^(\d+(?:\.\d+)?)\/(\d+)$/

const isLimit = Schema.is(Schema.toType(RateLimit))

const limitOf = (text: string): RateLimit | undefined => {
  const [, perSecond, burst] = limitShape.exec(text) ?? []
  return { perSecond: Number(perSecond), burst: Number(burst) }
}

/** `100/1000`: 100 a second, 1,000 at once; `off` for no limit. */
const LimitText = Schema.String.check(
  Schema.makeFilter((text: string) => text === "off" || isLimit(limitOf(text)), {
    expected: "off, or a rate per second (0.01 to 1000000) and a burst (1 to 10000000) such as 100/1000"
  })
)

const limit = (name: string, fallback: string) =>
  Config.schema(LimitText, name).pipe(
    Config.withDefault(fallback),
    Config.map((text) => (text === "off" ? undefined : limitOf(text)))
  )

const networkOf = (text: string) =>
  IpNetwork.fromString(text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`)

const networksOf = (list: string) => list.split(",").map((one) => networkOf(one.trim()))

const Networks = Schema.NonEmptyString.check(
  Schema.makeFilter((list: string) => networksOf(list).every(Result.isSuccess), {
    expected: "addresses or networks such as 10.0.0.0/8, separated by commas"
  })
)

export const httpSettings = {
  allowedOrigins: setting({
    name: "BECKON_ALLOWED_ORIGINS",
    about:
      "Comma-separated origins of pages that may call the API and open sockets, for tenants that set none themselves.",
    fallback: "all: a token is needed anyway",
    production: "https://app.example.com",
    read: Config.option(Config.NonEmptyString("BECKON_ALLOWED_ORIGINS"))
  }),
  trustedProxies: setting({
    name: "TRUSTED_PROXIES",
    about:
      "Comma-separated addresses and networks of the proxies in front, whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed.",
    fallback: "none: the peer is the caller",
    production: "10.0.0.0/8",
    read: Config.schema(Networks, "TRUSTED_PROXIES").pipe(
      Config.option,
      Config.map((list) => Option.match(list, { onNone: () => [], onSome: networksOf })),
      Config.map((networks) => networks.flatMap((one) => (Result.isSuccess(one) ? [one.success] : [])))
    )
  }),
  tenantLimit: setting({
    name: "BECKON_RATE_LIMIT_TENANT",
    about: "Calls of one tenant: a second, and at once; `off` for no limit. A tenant's own settings win.",
    fallback: "10000/20000",
    read: limit("BECKON_RATE_LIMIT_TENANT", "10000/20000")
  }),
  keyLimit: setting({
    name: "BECKON_RATE_LIMIT_KEY",
    about: "The same for one API key or one service.",
    fallback: "5000/10000",
    read: limit("BECKON_RATE_LIMIT_KEY", "5000/10000")
  }),
  userLimit: setting({
    name: "BECKON_RATE_LIMIT_USER",
    about: "The same for one user.",
    fallback: "100/1000",
    read: limit("BECKON_RATE_LIMIT_USER", "100/1000")
  }),
  failureLimit: setting({
    name: "BECKON_RATE_LIMIT_FAILURES",
    about:
      "Credentials from one address that are refused; what is above gets 429, whatever it shows. Behind proxies set TRUSTED_PROXIES, or all callers have one address.",
    fallback: "20/500",
    read: limit("BECKON_RATE_LIMIT_FAILURES", "20/500")
  }),
  socketConnects: setting({
    name: "BECKON_SOCKET_CONNECTS",
    about: "New sockets of one tenant: a second, and at once; `off` for no limit. A tenant's own settings win.",
    fallback: "5000/50000",
    read: limit("BECKON_SOCKET_CONNECTS", "5000/50000")
  }),
  socketConnectsUser: setting({
    name: "BECKON_SOCKET_CONNECTS_USER",
    about: "New sockets of one user.",
    fallback: "20/500",
    read: limit("BECKON_SOCKET_CONNECTS_USER", "20/500")
  }),
  socketMessages: setting({
    name: "BECKON_SOCKET_MESSAGES",
    about: "Messages from one socket: a second, and at once; more close it. A tenant's own settings win.",
    fallback: "200/200",
    read: limit("BECKON_SOCKET_MESSAGES", "200/200")
  }),
  socketBytes: setting({
    name: "BECKON_SOCKET_BYTES",
    about: "Bytes from one socket: a second, and at once; more close it. A tenant's own settings win.",
    fallback: "1000000/4000000",
    read: limit("BECKON_SOCKET_BYTES", "1000000/4000000")
  }),
  answersKeptFor: setting({
    name: "BECKON_IDEMPOTENCY_KEPT",
    about: "For how long the answer of a call with an Idempotency-Key is told again.",
    fallback: "24 hours",
    read: Config.Duration("BECKON_IDEMPOTENCY_KEPT").pipe(Config.withDefault(Duration.hours(24)))
  })
}
