/**
 * The senders of every channel on loopback, and a server in a process of its own that uses them.
 *
 * **Details**
 *
 * Each sender takes everything, unless a test has set how it answers one recipient: tests of one server do not disturb each
 * other. A tenant of its own for each test keeps circuits, policies and endpoints apart.
 */
import { Clock, Context, Data, Effect, Layer, Schedule } from "effect"
import type { Scope } from "effect"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import path from "node:path"
import * as SmtpFixture from "../../../packages/infra/test/email/SmtpFixture.ts"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { jwtSecret, RequestFailed, token } from "../road/Road.ts"
import type { Answer } from "../road/Road.ts"

export interface Seen {
  /** As it came, with the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One way to answer. */
export type Reply = (response: ServerResponse) => void

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify(body))
  }

export interface Loopback {
  readonly url: string
  /** What came for this recipient, in its order. */
  readonly of: (recipient: string) => ReadonlyArray<Seen>
  /** How a recipient is answered; who is not in here is taken. */
  readonly moods: Map<string, Reply>
}

const loopback = (
  recipientOf: (seen: Seen) => string,
  accept: (count: number) => Reply
): Effect.Effect<Loopback, never, Scope.Scope> =>
  Effect.gen(function* () {
    const moods = new Map<string, Reply>()
    const seen = new Map<string, Array<Seen>>()
    let count = 0
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("error", () => undefined)
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const { headers, url = "" } = request
        const one = { path: url, headers, body: Buffer.concat(chunks).toString("utf8") }
        const recipient = recipientOf(one)
        seen.set(recipient, [...(seen.get(recipient) ?? []), one])
        const reply = moods.get(recipient) ?? accept(++count)
        reply(response)
      })
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
    return { url: `http://127.0.0.1:${port}`, of: (recipient) => seen.get(recipient) ?? [], moods }
  })

/** A secret that is found in no text by chance. */
const secret = (prefix: string) => prefix + randomBytes(24).toString("hex")

const sendGridKeys = generateKeyPairSync("ec", { namedCurve: "P-256" })

const planted = {
  sendgrid: secret("SG."),
  smtp: secret("smtp-"),
  twilio: secret(""),
  whatsapp: secret("EAA"),
  whatsappApp: secret(""),
  whatsappVerify: secret("verify-"),
  deviceTokens: randomBytes(32).toString("hex"),
  jwt: jwtSecret
}

export const publicUrl = "https://beckon.example.com"

const start = Effect.gen(function* () {
  const sendgrid = yield* loopback(
    ({ body }) => JSON.parse(body).personalizations[0].to[0].email,
    (count) => json(202, {}, { "x-message-id": `message-${count}` })
  )
  const twilio = yield* loopback(
    ({ body }) => new URLSearchParams(body).get("To") ?? "",
    (count) => json(201, { sid: `SM${count}`, status: "queued", error_code: null })
  )
  const whatsapp = yield* loopback(
    ({ body }) => JSON.parse(body).to,
    (count) => json(200, { messaging_product: "whatsapp", messages: [{ id: `wamid.${count}` }] })
  )
  const hooks = yield* loopback(
    (seen) => seen.path,
    () => json(200, {})
  )
  const refusedBySmtp = new Set<string>()
  const smtp = yield* SmtpFixture.start({
    secure: true,
    authOptional: false,
    onAuth: ({ password, username }, _session, done) =>
      username === "ada" && password === planted.smtp
        ? done(null, { user: username })
        : done(SmtpFixture.refusal(`535 5.7.8 No: ${username} ${password}`)),
    onRcptTo: ({ address }, _session, done) =>
      done(refusedBySmtp.has(address) ? SmtpFixture.refusal(`451 4.3.0 Try again later, ${planted.smtp}`) : null)
  })
  const folder = yield* BeckonProcess.temporaryFolder
  const authority = path.join(folder, "authority.pem")
  writeFileSync(authority, smtp.ca)
  const running = yield* BeckonProcess.start({
    env: {
      BECKON_JWT_SECRET: planted.jwt,
      BECKON_DEVICE_TOKEN_SECRET: planted.deviceTokens,
      BECKON_LOG_LEVEL: "trace",
      BECKON_PUBLIC_URL: publicUrl,
      BECKON_DELIVERY_RETRY_BASE: "50 millis",
      BECKON_BREAKER_OPEN: "500 millis",
      MAIL_FROM: "Beckon <beckon@example.com>",
      SENDGRID_API_KEY: planted.sendgrid,
      SENDGRID_URL: sendgrid.url,
      SENDGRID_WEBHOOK_PUBLIC_KEY: sendGridKeys.publicKey.export({ type: "spki", format: "der" }).toString("base64"),
      SMTP_URL: `smtps://ada:${planted.smtp}@localhost:${smtp.port}`,
      NODE_EXTRA_CA_CERTS: authority,
      TWILIO_ACCOUNT_SID: "AC0123456789abcdef0123456789abcdef",
      TWILIO_AUTH_TOKEN: planted.twilio,
      TWILIO_FROM: "+12025550123",
      TWILIO_URL: twilio.url,
      WHATSAPP_TOKEN: planted.whatsapp,
      WHATSAPP_PHONE_NUMBER_ID: "1234567890",
      WHATSAPP_APP_SECRET: planted.whatsappApp,
      WHATSAPP_VERIFY_TOKEN: planted.whatsappVerify,
      WHATSAPP_URL: whatsapp.url,
      WEBHOOK_ALLOWED_NETWORKS: "127.0.0.0/8"
    }
  })
  return {
    running,
    sendgrid,
    sendGridKey: sendGridKeys.privateKey,
    smtp: {
      of: (address: string) => smtp.received.filter(({ rcptTo }) => rcptTo.includes(address)),
      refused: refusedBySmtp
    },
    twilio,
    whatsapp,
    hooks,
    planted,
    /** What no line of the output may show; tests add what they are given. */
    secrets: new Set<string>(Object.values(planted))
  }
})

export class Services extends Context.Service<Services, Effect.Success<typeof start>>()("@beckon/test/Services") {
  static readonly layer = Layer.effect(Services, start)
}

export interface Request {
  readonly token?: string
  readonly method?: string
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** One HTTP exchange with the server, with any headers. */
export const ask = Effect.fnUntraced(function* (target: string, { body, headers, method, token }: Request = {}) {
  const { running } = yield* Services
  return yield* Effect.tryPromise({
    try: async (signal): Promise<Answer> => {
      const answer = await fetch(running.url + target, {
        signal,
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          "content-type": "application/json",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
      const text = await answer.text()
      const type = answer.headers.get("content-type") ?? ""
      return { status: answer.status, type, body: type.includes("json") ? JSON.parse(text) : text }
    },
    catch: (cause) => new RequestFailed({ cause })
  })
})

/** An answer that the test did not reckon with. */
export class Unexpected extends Data.TaggedError("Unexpected")<{
  readonly target: string
  readonly status: number
  readonly body: unknown
}> {
  override get message() {
    return `${this.target} answered ${this.status}: ${JSON.stringify(this.body)}`
  }
}

/** It did not come to hold in time. */
export class NotYet extends Data.TaggedError("NotYet")<{ readonly last: unknown }> {
  override get message() {
    return `Not in time; the last was ${JSON.stringify(this.last)}`
  }
}

const patience = 20_000

/** Asks again and again until the answer is what is waited for. */
export const until = <A, E, R>(look: Effect.Effect<A, E, R>, holds: (found: A) => boolean) =>
  Effect.gen(function* () {
    const deadline = (yield* Clock.currentTimeMillis) + patience
    return yield* look.pipe(
      Effect.flatMap((found) => (holds(found) ? Effect.succeed(found) : Effect.fail(new NotYet({ last: found })))),
      Effect.retry({
        while: (error) =>
          error instanceof NotYet ? Effect.map(Clock.currentTimeMillis, (now) => now < deadline) : false,
        schedule: Schedule.spaced("20 millis")
      })
    )
  })

/** A tenant, by its service and its users. */
export const tenantOf = Effect.fnUntraced(function* (tenant: string) {
  const { secrets } = yield* Services
  const service = token({ sub: "shop", tenant, roles: ["service"] })
  secrets.add(service)

  const api = Effect.fnUntraced(function* (target: string, request: Omit<Request, "token"> = {}, as = service) {
    const answer = yield* ask(`/api/v1${target}`, { ...request, token: as })
    if (answer.status >= 300) return yield* new Unexpected({ target, status: answer.status, body: answer.body })
    return answer.body?.data
  })

  const asUser = (userId: string) => {
    const given = token({ sub: userId, tenant })
    secrets.add(given)
    return given
  }

  const status = (id: string) => api(`/notifications/${id}`)

  return {
    tenant,
    service,
    api,
    asUser,
    /** Makes a user known. */
    user: (userId: string, profile: Record<string, unknown> = {}) =>
      Effect.as(api("/users", { body: { user_id: userId, ...profile } }), userId),
    /** Sends, and answers the id. */
    notify: (body: Record<string, unknown>, headers: Readonly<Record<string, string>> = {}) =>
      Effect.map(
        api("/notifications", {
          headers,
          body: { notification_type: "news", title: "News", message: "Read!", ...body }
        }),
        ({ id }) => String(id)
      ),
    status,
    /** Its one delivery on the channel, when it is in one of these states. */
    delivery: (id: string, channel: string, ...states: ReadonlyArray<string>) =>
      until(
        Effect.map(status(id), ({ deliveries }) => deliveries.filter((one: Answer["body"]) => one.channel === channel)),
        (found: ReadonlyArray<Answer["body"]>) => found.length === 1 && states.includes(found[0].state)
      ).pipe(Effect.map(([one]): Answer["body"] => one)),
    policy: (policy: unknown) => api("/admin/routing-policy", { method: "PUT", body: { policy } })
  }
})
export type Tenant = Effect.Success<ReturnType<typeof tenantOf>>
