/**
 * An OpenID Connect issuer on loopback whose keys change as it is told: discovery, key set, and tokens of any kind.
 */
import { Effect } from "effect"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import type { CryptoKey, JWK, JWTPayload } from "jose"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface IssuerKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

export const makeKey = (kid: string, alg = "ES256"): Effect.Effect<IssuerKey> =>
  Effect.promise(async () => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } }
  })

export const sign = (
  key: IssuerKey,
  payload: JWTPayload,
  header: { readonly typ?: string; readonly alg?: string; readonly kid?: string } = {}
): Effect.Effect<string> =>
  Effect.promise(() =>
    new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT", ...header }).sign(key.privateKey)
  )

/** Until the scope closes. */
export const start = Effect.gen(function* () {
  const requests: Array<string> = []
  const issuer = {
    url: "",
    keys: Array<JWK>(),
    metadata: {} as Record<string, unknown>,
    /** Answers 503 to everything. */
    isOut: false,
    requests,
    /** How often the key set was asked for. */
    reads: () => requests.filter((path) => path === "/jwks").length
  }
  const server = createServer(({ url = "" }, response) => {
    requests.push(url)
    const found =
      url === "/.well-known/openid-configuration"
        ? { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, ...issuer.metadata }
        : { keys: issuer.keys }
    response.writeHead(issuer.isOut ? 503 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(found))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const { port } = server.address() as AddressInfo
  issuer.url = `http://127.0.0.1:${port}`
  return issuer
})
