/**
 * Tokens that the command line makes with the deployment's own secret, and the flags that say for whom.
 */
import { Duration, Effect, Option, Redacted } from "effect"
import { Argument, Flag } from "effect/cli"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Claims } from "@beckon/domain/Identity"
import { TokenIssuer } from "@beckon/domain/ports/Tokens"
import * as Secrets from "../layers/Secrets.ts"

/** How long a token of the command line itself is good. */
const ownLifetime = Duration.minutes(5)

export const userArgument = Argument.String("user").pipe(
  Argument.withDescription("Id of the user"),
  Argument.withSchema(UserId)
)

export const tenantFlag = Flag.String("tenant").pipe(
  Flag.withDescription("Id of the tenant"),
  Flag.withSchema(TenantId),
  Flag.withDefault(TenantId.make("default"))
)

export const tokenFlag = Flag.Redacted("token").pipe(
  Flag.withMetavar("<jwt>"),
  Flag.withDescription("Token to call with; default: one made with the secret of the data folder"),
  Flag.optional
)

const units: Readonly<Record<string, Duration.Duration>> = {
  s: Duration.seconds(1),
  m: Duration.minutes(1),
  h: Duration.hours(1),
  d: Duration.days(1)
}

const longest = Duration.days(3_650)

/** `90s`, `30m`, `12h`, `7d`: one second to ten years. */
export const parseLifetime = (text: string): Option.Option<Duration.Duration> => {
  const [, count = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const lifetime = Duration.times(units[unit] ?? Duration.zero, Number(count))
  return Duration.isGreaterThan(lifetime, Duration.zero) && Duration.isLessThanOrEqualTo(lifetime, longest)
    ? Option.some(lifetime)
    : Option.none()
}

export const ttlFlag = Flag.String("ttl").pipe(
  Flag.withMetavar("<duration>"),
  Flag.withDescription("How long it is good: 90s, 30m, 12h, 7d"),
  Flag.withDefault("12h"),
  Flag.filterMap(parseLifetime, (text) => `Expected a duration such as 90s, 30m, 12h or 7d, up to 3650d, not "${text}"`)
)

/** A token of this deployment. Needs its secret, and no database. */
export const issue = Effect.fnUntraced(function* (claims: Omit<Claims, "exp">, lifetime: Duration.Duration) {
  const issuer = yield* TokenIssuer
  return yield* issuer.issue(claims, lifetime)
}, Effect.provide(Secrets.layerTokens))

export interface Caller {
  readonly token: Option.Option<Redacted.Redacted>
  readonly tenant: TenantId
  readonly user: UserId
  readonly role: "user" | "service" | "admin"
}

/** The token that was given, or a fresh one of a few minutes. */
export const forCaller = ({ role, tenant, token, user }: Caller) =>
  Option.match(token, {
    onSome: (given) => Effect.succeed(given),
    onNone: () => Effect.map(issue({ sub: user, tenant, roles: [role] }, ownLifetime), (made) => Redacted.make(made))
  })
