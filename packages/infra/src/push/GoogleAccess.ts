/**
 * Access tokens for a Google service account, by the JWT bearer grant (RFC 7523).
 *
 * **Details**
 *
 * One token serves all calls until some minutes before its end; while one caller fetches, the others wait for it. A fetch is one
 * request within the caller's time limit, to the account's own `token_uri`.
 *
 * **Gotchas**
 *
 * `cert()` of firebase-admin is not used: it tries four times without a time limit, ignores `token_uri` and the agent it is given, and
 * keeps the private key in a global table after the app is deleted.
 */
import { Clock, Effect, Option, Redacted, Schema, Semaphore } from "effect"
import { SignJWT } from "jose"
import { createPrivateKey } from "node:crypto"
import type { KeyObject } from "node:crypto"
import type { Agent } from "node:https"
import type { PushRefused } from "@beckon/domain/ports/PushTopics"
import { httpsPost } from "./HttpsPost.ts"
import type { Answer } from "./HttpsPost.ts"
import { failed, ofStatus, refused, unanswered } from "../http/ProviderFailure.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"

const isHttps = Schema.makeFilter<string>((url) => URL.canParse(url) && new URL(url).protocol === "https:", {
  expected: "an https URL"
})

const AccountFile = Schema.fromJsonString(
  Schema.Struct({
    type: Schema.Literal("service_account"),
    project_id: Schema.NonEmptyString,
    client_email: Schema.NonEmptyString,
    private_key: Schema.NonEmptyString,
    private_key_id: Schema.optionalKey(Schema.String),
    token_uri: Schema.optionalKey(Schema.String.check(isHttps))
  })
)

const decodeFile = Schema.decodeUnknownOption(AccountFile)
const decodeGrant = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ access_token: Schema.NonEmptyString, expires_in: Schema.Finite }))
)
const decodeRefusal = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ error: Schema.String, error_description: Schema.optionalKey(Schema.String) }))
)

/** The key file is not one of a service account. */
export class ServiceAccountInvalid extends Schema.TaggedError<ServiceAccountInvalid>()("ServiceAccountInvalid", {
  reason: Schema.String
}) {}

export interface ServiceAccount {
  readonly projectId: string
  readonly email: string
  readonly keyId: string | undefined
  readonly key: KeyObject
  readonly tokenUri: string
}

/** Takes the key file as it is downloaded from the console; what is wrong is said without a word of its content. */
export const parseAccount = Effect.fnUntraced(function* (json: Redacted.Redacted) {
  const file = decodeFile(Redacted.value(json))
  if (Option.isNone(file)) {
    const needs = "type, project_id, client_email, private_key, and an https token_uri if any"
    return yield* new ServiceAccountInvalid({ reason: `it is not the JSON of a service account with ${needs}` })
  }
  const { client_email, private_key, private_key_id, project_id, token_uri } = file.value
  const key = yield* Effect.try({
    try: () => createPrivateKey(private_key),
    catch: () => new ServiceAccountInvalid({ reason: "its private_key is not a PEM key" })
  })
  if (key.asymmetricKeyType !== "rsa") {
    return yield* new ServiceAccountInvalid({ reason: "its private_key is not an RSA key" })
  }
  const account: ServiceAccount = {
    projectId: project_id,
    email: client_email,
    keyId: private_key_id,
    key,
    tokenUri: token_uri ?? "https://oauth2.googleapis.com/token"
  }
  return account
})

const scope = "https://www.googleapis.com/auth/firebase.messaging https://www.googleapis.com/auth/cloud-platform"

/** A token that ends within so many ms is not begun with. */
const margin = 120_000

interface Token {
  readonly value: Redacted.Redacted
  readonly expiresAt: number
}

/** What is said may quote what was sent, which opens the account for an hour. */
const refusalOf = ({ headers, status, text }: Answer, assertion: string, now: number): PushRefused => {
  const said = Option.getOrUndefined(decodeRefusal(text.replaceAll(assertion, "…")))
  const code = said?.error ?? `http_${status}`
  const detail = `the token endpoint answered ${status}: ${said?.error_description ?? code}`
  const wait = retryAfterOf(headers["retry-after"], now)
  // Every other refusal is of our own account: no message is to blame.
  return refused(ofStatus(status, code, detail, wait) ?? failed("credentials", code, detail))
}

export interface GoogleAccess {
  /** A token that is good for some minutes. */
  readonly token: Effect.Effect<Redacted.Redacted, PushRefused>
  /** The service did not accept this token: it is not given out again. */
  readonly forget: (token: Redacted.Redacted) => Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (account: ServiceAccount, agent: Agent) {
  const one = yield* Semaphore.make(1)
  let held: Token | undefined

  const assertion = (now: number) => {
    const issued = Math.floor(now / 1_000)
    return Effect.promise(() =>
      new SignJWT({ scope })
        .setProtectedHeader({
          alg: "RS256",
          typ: "JWT",
          ...(account.keyId === undefined ? {} : { kid: account.keyId })
        })
        .setIssuer(account.email)
        .setAudience(account.tokenUri)
        .setIssuedAt(issued)
        .setExpirationTime(issued + 3_600)
        .sign(account.key)
    )
  }

  const fetch = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const signed = yield* assertion(now)
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: signed
    })
    const answer = yield* httpsPost({
      url: account.tokenUri,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: body.toString(),
      agent
    }).pipe(Effect.mapError(({ cause }) => refused(unanswered(cause))))
    if (answer.status !== 200) return yield* refusalOf(answer, signed, now)
    const grant = decodeGrant(answer.text)
    if (Option.isNone(grant)) {
      return yield* refused(failed("transient", "bad_answer", "the token endpoint answered no token"))
    }
    const { access_token, expires_in } = grant.value
    held = { value: Redacted.make(access_token), expiresAt: now + expires_in * 1_000 }
    return held
  })

  const token = one.withPermit(
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const current = held !== undefined && held.expiresAt - margin > now ? held : yield* fetch
      return current.value
    })
  )

  const access: GoogleAccess = {
    token,
    forget: (refusedToken) =>
      Effect.sync(() => {
        if (held?.value === refusedToken) held = undefined
      })
  }
  return access
})
