import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { ServerConfig } from "../../src/layers/ServerConfig.ts"

const read = (env: Record<string, string>) =>
  ServerConfig.pipe(
    Effect.provide(ServerConfig.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))))
  )

const [acme, globex] = ["https://login.acme.example", "https://login.globex.example"]

/** Why the server does not start with these issuers. */
const refusal = (issuers: ReadonlyArray<string>, tenants?: unknown) =>
  Effect.match(
    read({
      OIDC_ISSUER: issuers.join(","),
      OIDC_AUDIENCE: "beckon",
      ...(tenants !== undefined && { OIDC_TENANTS: JSON.stringify(tenants) })
    }),
    { onFailure: ({ message }): unknown => message, onSuccess: ({ oidcTenants }) => oidcTenants }
  )

describe("the settings of issuers", () => {
  it.effect("one issuer speaks for all tenants unless it is bound", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* refusal([acme]), {})
      assert.deepStrictEqual(yield* refusal([acme], { [acme]: ["acme"] }), { [acme]: ["acme"] })
    })
  )

  it.effect("of several issuers each must be bound, and nobody else can be", () =>
    Effect.gen(function* () {
      const both = [acme, globex]
      const missing = (issuer: string) =>
        `The settings do not go together: with several issuers, OIDC_TENANTS must name the tenants of each, or "*"; it does not name ${issuer}`
      assert.strictEqual(yield* refusal(both), missing(acme))
      assert.strictEqual(yield* refusal(both, { [acme]: ["acme"] }), missing(globex))
      const bound = { [acme]: ["acme"], [globex]: "*" }
      assert.deepStrictEqual(yield* refusal(both, bound), bound)
      assert.strictEqual(
        yield* refusal([acme], { [globex]: ["globex"] }),
        `The settings do not go together: OIDC_TENANTS names ${globex}, which OIDC_ISSUER does not`
      )
      for (const wrong of [{ [acme]: [] }, { [acme]: "acme" }, { [acme]: ["x".repeat(65)] }, ["acme"]]) {
        assert.include(JSON.stringify(yield* refusal([acme], wrong)), "OIDC_TENANTS")
      }
    })
  )
})
