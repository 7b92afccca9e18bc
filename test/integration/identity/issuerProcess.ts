/**
 * A certified OpenID Connect issuer (`oidc-provider`) in a process of its own: `node issuerProcess.ts <port> <jwks>`.
 *
 * **Details**
 *
 * `<jwks>` is JSON: the private keys, of which the first one signs. The client `shop` gets tokens with its secret; the client `app` is a
 * public one, for people who log in with any name (authorization code with PKCE). Tokens are JWTs for the audience `beckon`, of the tenant
 * `acme`. It prints a line when it listens, and counts at `/reads` how often its keys were asked for.
 */
import { createServer } from "node:http"
import { Provider } from "oidc-provider"

const [port = "0", keys = "{}"] = process.argv.slice(2)
const url = `http://127.0.0.1:${port}`

const provider = new Provider(url, {
  jwks: JSON.parse(keys),
  cookies: { keys: ["the cookies of a test"] },
  clients: [
    {
      client_id: "shop",
      client_secret: "the secret of the shop",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: []
    },
    {
      client_id: "app",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code"],
      redirect_uris: ["http://127.0.0.1/callback"],
      response_types: ["code"]
    }
  ],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  pkce: { required: () => true },
  clientBasedCORS: () => false,
  scopes: ["openid", "events:write", "inbox:read", "inbox:write"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: "openid events:write inbox:read inbox:write",
        // Services may ask for a token of another audience, as for another service of the company.
        audience: resource === "urn:other" ? "other" : "beckon",
        accessTokenTTL: 600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } }
      })
    }
  },
  extraTokenClaims: (_ctx, token) => ({
    tenant: "acme",
    realm_access: { roles: token.kind === "ClientCredentials" ? ["sender"] : ["customer"] }
  }),
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) })
})

const answer = provider.callback()
let reads = 0
createServer((request, response) => {
  if (request.url === "/jwks") reads += 1
  if (request.url === "/reads") response.end(String(reads))
  else void answer(request, response)
}).listen(Number(port), "127.0.0.1", () => process.stdout.write("the issuer listens\n"))
