/**
 * The settings of who may call: issuers of tokens and what their claims mean; part of the table in `Settings.ts`.
 */
import { Config, Duration, Option, Schema } from "effect"
import { TenantId } from "@beckon/domain/Identifiers"
import { Role } from "@beckon/domain/Identity"
import { isTrustworthy } from "@beckon/infra/security/IssuerKeys"
import { setting } from "./Setting.ts"

const listOf = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")

const isIssuer = (text: string): boolean => URL.canParse(text) && isTrustworthy(new URL(text))

const Issuers = Schema.String.check(
  Schema.makeFilter((text: string) => listOf(text).every(isIssuer), {
    expected: "https URLs, separated by commas (http on this machine only)"
  })
)

const RoleMap = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Union([Role, Schema.Array(Role)])))

/** An issuer to the tenants that it may speak for, or `*`. */
const IssuerTenants = Schema.fromJsonString(
  Schema.Record(Schema.String, Schema.Union([Schema.Literal("*"), Schema.NonEmptyArray(TenantId)]))
)
const unbound: typeof IssuerTenants.Type = {}

const rolesClaims = "realm_access.roles,resource_access.{audience}.roles,roles"

const nobody: ReadonlyArray<string> = []

export const identitySettings = {
  jwtSecret: setting({
    name: "BECKON_JWT_SECRET",
    about:
      "The key of the deployment's own tokens (HS256), at least 32 bytes, the same on every node. `hex:` and hexadecimal digits for bytes that are no text, such as those of the file `jwt.secret`.",
    fallback: "a file in the data folder, made at the first start",
    production: "change-me-to-at-least-32-random-bytes",
    secret: true,
    read: Config.option(Config.Redacted("BECKON_JWT_SECRET"))
  }),
  ownTokens: setting({
    name: "BECKON_OWN_TOKENS",
    about:
      "Whether tokens that are signed with BECKON_JWT_SECRET are accepted. The command line makes such tokens; without them give it one with --token.",
    fallback: "true",
    production: "false",
    read: Config.Boolean("BECKON_OWN_TOKENS").pipe(Config.withDefault(true))
  }),
  tokenMaxAge: setting({
    name: "BECKON_TOKEN_MAX_AGE",
    about: "Tokens are refused at this age, whenever they expire. Revocations of users are kept for as long.",
    fallback: "3650 days",
    production: "30 days",
    read: Config.Duration("BECKON_TOKEN_MAX_AGE").pipe(Config.withDefault(Duration.days(3_650)))
  }),
  oidcIssuers: setting({
    name: "OIDC_ISSUER",
    about:
      "OpenID Connect issuers of people's and services' tokens, comma-separated, as their tokens have them in `iss`. Needs OIDC_AUDIENCE.",
    fallback: "none",
    production: "https://login.example.com/realms/example",
    read: Config.schema(Issuers, "OIDC_ISSUER").pipe(Config.map(listOf), Config.withDefault(nobody))
  }),
  oidcAudiences: setting({
    name: "OIDC_AUDIENCE",
    about:
      "What `aud` of their tokens must have: the name of this deployment at the issuer; comma-separated for several.",
    fallback: "none",
    production: "beckon",
    read: Config.NonEmptyString("OIDC_AUDIENCE").pipe(Config.map(listOf), Config.withDefault(nobody))
  }),
  oidcClockSkew: setting({
    name: "OIDC_CLOCK_SKEW",
    about: "How far the clocks of issuer and server may differ.",
    fallback: "5 seconds",
    read: Config.Duration("OIDC_CLOCK_SKEW").pipe(Config.withDefault(Duration.seconds(5)))
  }),
  oidcTenantClaim: setting({
    name: "OIDC_TENANT_CLAIM",
    about: "The claim that says whose tenant the caller is of; a dotted path.",
    fallback: "tenant",
    read: Config.NonEmptyString("OIDC_TENANT_CLAIM").pipe(Config.withDefault("tenant"))
  }),
  oidcTenants: setting({
    name: "OIDC_TENANTS",
    about:
      'The tenants that each issuer may speak for, as JSON: `{"https://login.acme.example":["acme"]}`, or `"*"` for all. With several issuers every one must be named.',
    fallback: "one issuer speaks for all",
    read: Config.schema(IssuerTenants, "OIDC_TENANTS").pipe(Config.withDefault(unbound))
  }),
  oidcTenant: setting({
    name: "OIDC_TENANT",
    about: "The tenant of all of their tokens, for a deployment of one company; then no claim is looked at.",
    fallback: "none",
    read: Config.option(Config.schema(TenantId, "OIDC_TENANT"))
  }),
  oidcRolesClaims: setting({
    name: "OIDC_ROLES_CLAIMS",
    about: "The claims that list roles: dotted paths, comma-separated; {audience} stands for OIDC_AUDIENCE.",
    fallback: rolesClaims,
    read: Config.NonEmptyString("OIDC_ROLES_CLAIMS").pipe(Config.withDefault(rolesClaims), Config.map(listOf))
  }),
  oidcRoleMap: setting({
    name: "OIDC_ROLE_MAP",
    about:
      "Their roles to ours (user, service, admin, platform), as JSON; roles that it does not name count for nothing. Only it gives `platform`, and only to issuers for all tenants.",
    fallback: "none: their roles are ours, but for `platform`",
    production: '{"beckon-platform":"platform","beckon-admin":"admin","beckon-sender":"service"}',
    read: Config.option(Config.schema(RoleMap, "OIDC_ROLE_MAP")).pipe(
      Config.map(
        Option.map((map): Readonly<Record<string, ReadonlyArray<string>>> =>
          Object.fromEntries(Object.entries(map).map(([theirs, ours]) => [theirs, [ours].flat()]))
        )
      )
    )
  })
} as const
