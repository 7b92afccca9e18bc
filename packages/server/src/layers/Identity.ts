/**
 * Who is let in: API keys, tokens of issuers and of the deployment, and what takes them back.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Duration, Effect, Layer, Option } from "effect"
import { OidcTokens } from "@beckon/infra/security/OidcTokens"
import { ApiKeys } from "../identity/ApiKeys.ts"
import * as Credentials from "../identity/Credentials.ts"
import { Revocations } from "../identity/Revocations.ts"
import { RevocationSettings } from "../identity/RevocationSettings.ts"
import { Standing } from "../identity/Standing.ts"
import * as Deliveries from "./Deliveries.ts"
import * as Secrets from "./Secrets.ts"
import { ServerConfig } from "./ServerConfig.ts"

const layerOidc = Layer.unwrap(
  Effect.map(ServerConfig, (config) => {
    const tenant = Option.match(config.oidcTenant, {
      onNone: () => ({ claim: config.oidcTenantClaim }),
      onSome: (fixed) => ({ fixed })
    })
    return OidcTokens.layer({
      issuers: new Map(config.oidcIssuers.map((issuer) => [issuer, config.oidcTenants[issuer] ?? "*"])),
      clockSkew: config.oidcClockSkew,
      maxAge: config.tokenMaxAge,
      keptThroughOutage: Duration.days(1),
      mapping: {
        audiences: config.oidcAudiences,
        tenant,
        rolesClaims: config.oidcRolesClaims,
        ...(Option.isSome(config.oidcRoleMap) ? { roleMap: config.oidcRoleMap.value } : {})
      }
    })
  })
).pipe(Layer.provide(NodeHttpClient.layerUndici))

const layerVerifier = Layer.unwrap(
  Effect.map(ServerConfig, ({ ownTokens, tokenMaxAge }) =>
    Credentials.layer({ acceptOwn: ownTokens, maxAge: tokenMaxAge })
  )
).pipe(Layer.provide([Secrets.layerTokens, layerOidc]))

const layerSettings = Layer.unwrap(
  Effect.map(ServerConfig, ({ tokenMaxAge }) => RevocationSettings.layer({ keptFor: tokenMaxAge }))
)

/** The verifier of all credentials. Needs the stores, the tenants and the audit log. */
export const layer = layerVerifier.pipe(
  Layer.provideMerge(Standing.layer),
  Layer.provideMerge(Layer.mergeAll(ApiKeys.layer, Revocations.layer, layerSettings)),
  Layer.provide(Deliveries.layerShared)
)
