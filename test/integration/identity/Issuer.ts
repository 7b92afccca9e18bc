/**
 * The issuer of `issuerProcess.ts`, started, stopped and given other keys; and the ways to get a token from it.
 */
import { Data, Deferred, Effect } from "effect"
import { exportJWK, generateKeyPair } from "jose"
import type { JWK } from "jose"
import { spawn } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"

const script = fileURLToPath(new URL("./issuerProcess.ts", import.meta.url))

export class IssuerFailed extends Data.TaggedError("IssuerFailed")<{ readonly cause: unknown }> {}

export const newKey = (kid: string): Effect.Effect<JWK> =>
  Effect.promise(async () => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true })
    return { ...(await exportJWK(privateKey)), kid, alg: "ES256", use: "sig" }
  })

/** Runs until the scope closes. The first key signs. */
export const start = (port: number, keys: ReadonlyArray<JWK>) =>
  Effect.gen(function* () {
    const listens = Deferred.makeUnsafe<void, IssuerFailed>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, [script, String(port), JSON.stringify({ keys })], {
          stdio: ["ignore", "pipe", "pipe"]
        })
        let output = ""
        child.stderr.on("data", (chunk) => (output += String(chunk)))
        child.stdout.on("data", (chunk) => {
          if (String(chunk).includes("the issuer listens")) Deferred.doneUnsafe(listens, Effect.void)
        })
        const ended = Deferred.makeUnsafe<void>()
        child.on("close", () => {
          Deferred.doneUnsafe(listens, Effect.fail(new IssuerFailed({ cause: output })))
          Deferred.doneUnsafe(ended, Effect.void)
        })
        return { child, ended }
      }),
      ({ child, ended }) =>
        Effect.suspend(() => {
          child.kill("SIGKILL")
          return Deferred.await(ended)
        })
    )
    yield* Deferred.await(listens)
  })

const form = (body: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) => ({
  method: "POST",
  redirect: "manual" as const,
  headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
  body: new URLSearchParams(body).toString()
})

const tokenOf = async (answer: Response): Promise<string> => {
  const body: unknown = await answer.json()
  const token = typeof body === "object" && body !== null && "access_token" in body ? body.access_token : undefined
  if (typeof token !== "string") throw new Error(`no token: ${JSON.stringify(body)}`)
  return token
}

/** How often this process was asked for its keys. */
export const reads = (issuer: string) =>
  Effect.tryPromise({
    try: async () => Number(await (await fetch(`${issuer}/reads`)).text()),
    catch: (cause) => new IssuerFailed({ cause })
  })

/** For a service: client credentials (RFC 6749 section 4.4) with a resource indicator (RFC 8707). */
export const serviceToken = (issuer: string, resource = "urn:beckon", scope?: string) =>
  Effect.tryPromise({
    try: async () =>
      tokenOf(
        await fetch(
          `${issuer}/token`,
          form(
            { grant_type: "client_credentials", resource, ...(scope === undefined ? {} : { scope }) },
            { authorization: `Basic ${Buffer.from("shop:the%20secret%20of%20the%20shop").toString("base64")}` }
          )
        )
      ),
    catch: (cause) => new IssuerFailed({ cause })
  })

/** For a person who logs in and consents: authorization code with PKCE (RFC 7636), in a browser without a window. */
export const personToken = (issuer: string, login: string, scope = "openid") =>
  Effect.tryPromise({
    try: async () => {
      const cookies = new Map<string, string>()
      const visit = async (to: string, options: RequestInit = {}) => {
        const cookie = Array.from(cookies, ([name, value]) => `${name}=${value}`).join("; ")
        const answer = await fetch(new URL(to, issuer), {
          redirect: "manual",
          ...options,
          headers: { ...Object.fromEntries(new Headers(options.headers)), cookie }
        })
        for (const line of answer.headers.getSetCookie()) {
          const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
          cookies.set(name, value)
        }
        return answer
      }
      const redirectUri = "http://127.0.0.1:7777/callback"
      const verifier = randomBytes(32).toString("base64url")
      const query = new URLSearchParams({
        client_id: "app",
        response_type: "code",
        redirect_uri: redirectUri,
        scope,
        resource: "urn:beckon",
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256"
      })
      let place = `/auth?${query.toString()}`
      for (let step = 0; step < 12 && !place.startsWith(redirectUri); step++) {
        const answer = await visit(place)
        const next = answer.headers.get("location")
        if (next !== null) {
          place = next
          continue
        }
        const page = await answer.text()
        const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? ""
        const posted = await visit(place, form({ prompt, login, password: "any" }))
        place = posted.headers.get("location") ?? ""
        if (place === "") throw new Error(`stuck at ${prompt}: ${page}`)
      }
      const code = new URL(place).searchParams.get("code") ?? ""
      return tokenOf(
        await fetch(
          `${issuer}/token`,
          form({
            grant_type: "authorization_code",
            client_id: "app",
            code,
            redirect_uri: redirectUri,
            code_verifier: verifier
          })
        )
      )
    },
    catch: (cause) => new IssuerFailed({ cause })
  })
