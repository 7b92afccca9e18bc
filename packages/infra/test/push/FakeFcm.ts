/**
 * Google's token endpoint and FCM's HTTP v1 on loopback: assertions are verified, access tokens are checked, and each device token has its fate.
 */
import { Effect, Redacted } from "effect"
import { jwtVerify } from "jose"
import { generateKeyPairSync } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { json, start } from "./LoopbackTls.ts"
import type { Loopback, Reply } from "./LoopbackTls.ts"

export interface Sent {
  readonly message: Record<string, unknown> & { readonly token?: string; readonly topic?: string }
}

export interface FakeFcm extends Loopback {
  readonly account: Redacted.Redacted
  /** Bodies of all `messages:send`, also of those that failed. */
  readonly sends: Array<Sent["message"]>
  /** `POST token topic` and `DELETE token topic`. */
  readonly topicCalls: Array<string>
  readonly grants: () => number
  /** What becomes of messages to a device token, or to a topic; without one it is taken. */
  readonly fates: Map<string, Reply>
  /** What the token endpoint answers instead of a token. */
  tokenFate: Reply | undefined
  /** Seconds that a token is valid. */
  tokenLife: number
  /** Every access token that was given out is refused from now on. */
  readonly revoke: () => void
}

const project = "beckon-test"
const email = "push@beckon-test.iam.gserviceaccount.com"
const hosts = ["fcm.googleapis.com", "oauth2.googleapis.com"]

/** One key for all tests: making one takes longer than a test. */
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })

export const accountOf = (changes: Readonly<Record<string, string>> = {}): Redacted.Redacted =>
  Redacted.make(
    JSON.stringify({
      type: "service_account",
      project_id: project,
      private_key_id: "key-1",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      client_email: email,
      token_uri: "https://oauth2.googleapis.com/token",
      ...changes
    })
  )

/** An error as FCM writes it. */
export const fcmError = (
  status: number,
  name: string,
  message: string,
  errorCode?: string,
  headers?: Readonly<Record<string, string>>,
  fields?: ReadonlyArray<string>
): Reply =>
  json(
    status,
    {
      error: {
        code: status,
        message,
        status: name,
        details: [
          ...(errorCode === undefined
            ? []
            : [{ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode }]),
          ...(fields === undefined
            ? []
            : [
                {
                  "@type": "type.googleapis.com/google.rpc.BadRequest",
                  fieldViolations: fields.map((field) => ({ field, description: message }))
                }
              ])
        ]
      }
    },
    headers
  )

export const startFcm = Effect.gen(function* () {
  const sends: FakeFcm["sends"] = []
  const topicCalls: Array<string> = []
  const fates: FakeFcm["fates"] = new Map()
  const good = new Set<string>()
  let grants = 0
  const settings: Pick<FakeFcm, "tokenFate" | "tokenLife"> = { tokenFate: undefined, tokenLife: 3_599 }

  const grant = async (body: Buffer, response: ServerResponse) => {
    grants += 1
    if (settings.tokenFate !== undefined) return settings.tokenFate(response)
    const form = new URLSearchParams(body.toString())
    try {
      const { payload } = await jwtVerify(form.get("assertion") ?? "", publicKey, {
        issuer: email,
        audience: "https://oauth2.googleapis.com/token",
        requiredClaims: ["iat", "exp", "scope"]
      })
      const lifetime = Number(payload.exp) - Number(payload.iat)
      if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer" || lifetime > 3_600)
        throw new Error()
    } catch {
      return json(400, { error: "invalid_grant", error_description: "Invalid JWT Signature." })(response)
    }
    const token = `access-${grants}`
    good.add(token)
    return json(200, { access_token: token, expires_in: settings.tokenLife, token_type: "Bearer" })(response)
  }

  const unauthenticated = fcmError(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")

  const fcm = (request: IncomingMessage, body: Buffer, response: ServerResponse) => {
    if (!good.has((request.headers.authorization ?? "").replace("Bearer ", ""))) return unauthenticated(response)
    const path = request.url ?? ""
    const topicCall = /^\/v1\/projects\/beckon-test\/registrations\/([^/]+)\/topicSubscriptions(?:\/([^?]+))?/.exec(
      path
    )
    if (topicCall !== null) {
      const token = decodeURIComponent(topicCall[1] ?? "")
      const topic = topicCall[2] ?? new URL(path, "https://fcm").searchParams.get("topic_name")
      topicCalls.push(`${request.method} ${token} ${topic}`)
      return (fates.get(token) ?? json(200, {}))(response)
    }
    if (path !== `/v1/projects/${project}/messages:send`) return fcmError(404, "NOT_FOUND", "Not found.")(response)
    const { message } = JSON.parse(body.toString()) as Sent
    sends.push(message)
    const fate = fates.get(message.token ?? message.topic ?? "")
    const name = `projects/${project}/messages/${sends.length}`
    return (fate ?? json(200, { name }))(response)
  }

  const loopback = yield* start(hosts, (request, body, response) => {
    if (request.headers.host === "oauth2.googleapis.com") void grant(body, response)
    else fcm(request, body, response)
  })
  const fake: FakeFcm = Object.assign(settings, {
    ...loopback,
    account: accountOf(),
    sends,
    topicCalls,
    grants: () => grants,
    fates,
    revoke: () => good.clear()
  })
  return fake
})
