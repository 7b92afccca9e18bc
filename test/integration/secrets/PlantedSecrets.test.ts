/**
 * A whole run of a server, with secrets of every kind, through successes and failures: none of them is found in the output, in
 * an answer, or in the files of the database, in any form.
 *
 * **Gotchas**
 *
 * A search that finds nothing proves nothing by itself, so a text that is no secret goes the same ways, and must be found.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { Scope } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { call, token } from "../road/Road.ts"
import type { Answer, Call } from "../road/Road.ts"
import { control, filesOf, formsOf, mailServer, planted, quoting, tokenEndpoint, vapid } from "./Planted.ts"

const start = (env: Readonly<Record<string, string>>, dataDir: string) =>
  BeckonProcess.start({
    dataDir,
    env: {
      BECKON_JWT_SECRET: planted.jwt,
      BECKON_KEYS: `new:${planted.key},former:${planted.formerKey}`,
      BECKON_LOG_LEVEL: "trace",
      BECKON_DELIVERY_RETRY_BASE: "20 millis",
      BECKON_BREAKER_OPEN: "300 millis",
      BECKON_DELIVERY_TRIES: "push=2,email=2,sms=2,whatsapp=2,webhook=2",
      WEBHOOK_ALLOWED_NETWORKS: "127.0.0.0/8",
      ...env
    }
  })

const wrongStarts: ReadonlyArray<Readonly<Record<string, string>>> = [
  { BECKON_KEYS: `new:${planted.key}00` },
  { BECKON_KEYS: `${planted.key},former:${planted.formerKey}` },
  { BECKON_KEYS: `new:${planted.key},new:${planted.formerKey}` },
  { BECKON_DEVICE_TOKEN_SECRET: `${planted.key}zz` },
  { DATABASE_URL: `postgres://beckon:${planted.databasePassword}@127.0.0.1:1/beckon` },
  { DATABASE_URL: `postgres://beckon:${planted.databasePassword}@127.0.0.1:notaport/beckon` },
  { FCM_SERVICE_ACCOUNT: JSON.stringify({ type: "service_account", private_key: planted.malformed }) },
  { VAPID_PRIVATE_KEY: planted.malformed, VAPID_PUBLIC_KEY: vapid.publicKey, VAPID_SUBJECT: "mailto:a@example.com" },
  { SMTP_URL: `gopher://ada:${planted.malformed}@localhost`, MAIL_FROM: "a@example.com" },
  { BECKON_JWT_SECRET: `hex:${planted.malformed}` }
]

interface Run {
  readonly running: BeckonProcess.BeckonProcess
  readonly answers: Array<string>
  readonly shown: Set<string>
}

/** A provider that hangs is given up after 15 s. */
const until = Schedule.upTo(Schedule.spaced("100 millis"), { times: 400 })

const isSettled = ({ body }: { readonly body: Answer["body"] }): boolean =>
  body.data.history.length > 0 ||
  Object.values<{ readonly state: string; readonly reason: string | null }>(body.data.channels).some(
    ({ reason, state }) => reason !== null || state === "failed" || state === "dead"
  )

const exercise = Effect.fnUntraced(function* ({ answers, running, shown }: Run, senders: string, smtpPort: number) {
  const admin = token({ sub: "boss", tenant: "acme", roles: ["admin"], secret: planted.jwt })
  const ada = token({ sub: "ada", tenant: "acme", secret: planted.jwt })
  shown.add(admin).add(ada)
  const ask = Effect.fnUntraced(function* (target: string, options: Call = {}) {
    const answer = yield* call(running.url, `/api/v1${target}`, { token: admin, ...options })
    answers.push(JSON.stringify([answer.status, [...answer.headers], answer.body]))
    return answer
  })
  /** Its answer shows a secret once, on purpose: from then on it is looked for everywhere else. */
  const askOnce = Effect.fnUntraced(function* (target: string, body: unknown, field: "secret" | "key") {
    const answer = yield* call(running.url, `/api/v1${target}`, { token: admin, body })
    expect(answer.status, JSON.stringify(answer.body)).toBe(201)
    shown.add(String(answer.body.data[field]))
    return answer.body.data
  })

  yield* ask("/users", { body: { user_id: "ada", name: control, email: "ada@example.com", phone: "+4915112345678" } })
  yield* ask("/users/me/devices", { token: ada, body: { platform: "ios", token: planted.deviceToken } })
  yield* ask("/users/me/devices", { token: ada, body: { platform: "nokia", token: planted.deviceToken } })
  yield* ask("/users/ada/devices")
  yield* askOnce("/webhooks", { url: `${senders}/hook` }, "secret")
  yield* askOnce("/admin/api-keys", { name: "key", roles: ["service"] }, "key")

  // What is wrong is refused, and not quoted.
  const wrong: ReadonlyArray<unknown> = [
    { kind: "twilio", name: "x", settings: { account_sid: "AC1", from: "+1", auth_token: planted.misplaced } },
    { kind: "twilio", name: "x", settings: { account_sid: planted.misplaced, from: "+1" }, credentials: {} },
    { kind: "twilio", name: "x", settings: {}, credentials: { auth_token: [planted.misplaced] } },
    { kind: "twilio", name: "x", settings: {}, credentials: planted.misplaced },
    { kind: planted.misplaced, name: "x" },
    { kind: "log", name: "x", credentials: { [planted.misplaced]: planted.misplaced } },
    { kind: "fcm", name: "x", credentials: { service_account: planted.misplaced } },
    {
      kind: "smtp",
      name: "x",
      settings: { from: "a@example.com", host: "10.0.0.1", port: 587, tls: "starttls", username: "ada" },
      credentials: { password: planted.ownSmtp }
    },
    {
      kind: "sendgrid",
      name: "x",
      settings: { from: "a@example.com", base_url: "http://169.254.169.254/" },
      credentials: { api_key: planted.ownSendgrid }
    }
  ]
  for (const body of wrong) {
    const { status } = yield* ask("/admin/providers", { body })
    expect([400, 422], JSON.stringify(body)).toContain(status)
  }
  for (const body of [`{"kind": "twilio", "credentials": ${planted.malformed}`, planted.malformed, "[]"]) {
    expect([400, 422]).toContain((yield* ask("/admin/providers", { body })).status)
  }
  for (const authorization of [`Bearer ${planted.badBearer}`, `Basic ${planted.badBasic}`, planted.badBearer]) {
    const answer = yield* call(running.url, "/api/v1/admin/providers", { headers: { authorization } })
    expect(answer.status).toBe(401)
    answers.push(JSON.stringify(answer.body))
  }

  const account = Effect.fnUntraced(function* (body: unknown) {
    const created = yield* ask("/admin/providers", { body })
    expect(created.status, JSON.stringify(created.body)).toBe(201)
    return String(created.body.data.id)
  })
  const sms = yield* account({
    kind: "twilio",
    name: "sms",
    settings: { account_sid: "AC1", from: "+12025550123", base_url: senders },
    credentials: { auth_token: planted.ownTwilio }
  })
  const mail = yield* account({
    kind: "sendgrid",
    name: "mail",
    settings: { from: "a@example.com", base_url: senders },
    credentials: { api_key: planted.ownSendgrid }
  })
  const whatsapp = yield* account({
    kind: "whatsapp",
    name: "whatsapp",
    settings: { phone_number_id: "1", base_url: senders },
    credentials: {
      access_token: planted.ownWhatsapp,
      app_secret: planted.ownWhatsappApp,
      verify_token: planted.changed
    }
  })
  const ownMail = yield* account({
    kind: "smtp",
    name: "refused",
    order: 200,
    settings: { from: "a@example.com", host: "127.0.0.1", port: smtpPort, tls: "implicit", username: "own" },
    credentials: { password: planted.ownSmtp }
  })
  const tested = yield* ask(`/admin/providers/${ownMail}/test`, { body: { to: "bob@example.com" } })
  expect(tested.body.data, JSON.stringify(tested.body)).toMatchObject({ sent: false, class: "credentials" })
  for (const id of [sms, mail, whatsapp]) {
    yield* ask(`/admin/providers/${id}`)
    yield* ask(`/admin/providers/${id}/test`, { body: { to: id === mail ? "mood-401@example.com" : "+1555mood-500" } })
    yield* ask(`/admin/providers/${id}`, { method: "PATCH", body: { name: control } })
  }
  yield* ask(`/admin/providers/${sms}`, { method: "PATCH", body: { credentials: { auth_token: planted.changed } } })
  yield* ask("/admin/providers")
  for (const where of ["sendgrid", "twilio", "whatsapp", "push", `twilio/acme/${sms}`, `whatsapp/acme/${whatsapp}`]) {
    yield* ask(`/callbacks/${where}`, { body: { [planted.malformed]: planted.malformed } })
  }
  yield* ask(`/callbacks/whatsapp/acme/${whatsapp}?hub.mode=subscribe&hub.verify_token=${planted.badBearer}`)

  // Through accounts of the tenant, and through those of the deployment for another one.
  const other = token({ sub: "boss", tenant: "globex", roles: ["admin"], secret: planted.jwt })
  shown.add(other)
  const sent: Array<{ readonly id: string; readonly as: string; readonly mood: string }> = []
  for (const as of [admin, other]) {
    yield* ask("/users", { token: as, body: { user_id: "bob", email: "bob@example.com", phone: "+4915112345678" } })
    // Those that hang go first: later the circuits are open.
    for (const mood of ["hang", "ok", "half", "500", "429", "401"]) {
      for (const channel of mood === "hang" ? ["sms"] : ["email", "sms", "whatsapp", "push"]) {
        const body = {
          user_id: channel === "push" ? "ada" : "bob",
          notification_type: "test",
          title: control,
          message: `${control} mood-${mood}`,
          channels: [channel]
        }
        const accepted = yield* ask("/notifications", { token: as, body })
        expect(accepted.status, JSON.stringify(accepted.body)).toBe(202)
        sent.push({ id: String(accepted.body.data.id), as, mood })
      }
    }
  }
  // Each was tried, or had no try because its circuit had been opened by those before it.
  const codes = new Map<string, Set<string>>()
  for (const { as, id, mood } of sent) {
    const look = ask(`/notifications/${id}`, { token: as })
    const { body } = yield* Effect.repeat(look, { schedule: until, until: isSettled })
    const known = codes.get(mood) ?? new Set()
    for (const { code, provider } of body.data.history) known.add(`${String(provider).split(":")[0]} ${code}`)
    codes.set(mood, known)
  }
  // The run has had what it is for.
  expect([...(codes.get("hang") ?? [])]).toContain("twilio timeout")
  expect([...codes.values()].flatMap((known) => [...known]).some((code) => code.startsWith("fcm "))).toBe(true)
  for (const as of [admin, other]) {
    for (const target of ["/dead-letters", "/deliveries", "/admin/audit", "/webhooks"]) {
      yield* ask(target, { token: as })
    }
  }
  yield* ask("/admin/providers")
  for (const target of ["/health", "/health/ready", "/openapi.json"]) {
    answers.push(JSON.stringify((yield* call(running.url, target)).body))
  }
})

const scenario: Effect.Effect<void, unknown, Scope.Scope> = Effect.gen(function* () {
  const senders = yield* quoting
  const google = yield* tokenEndpoint
  const smtp = yield* mailServer
  const folder = yield* BeckonProcess.temporaryFolder
  const answers: Array<string> = []
  const shown = new Set<string>()
  const outputs: Array<string> = []
  // Named in the output, where a fault of the search would hide it.
  const dataDir = path.join(folder, control)
  const authority = path.join(folder, "authority.pem")
  writeFileSync(authority, smtp.ca)
  const running = yield* start(
    {
      MAIL_FROM: "Beckon <beckon@example.com>",
      FCM_SERVICE_ACCOUNT: google.account,
      SMTP_URL: `smtps://ada:${planted.smtp}@localhost:${smtp.port}`,
      NODE_EXTRA_CA_CERTS: authority,
      SENDGRID_API_KEY: planted.sendgrid,
      SENDGRID_URL: senders,
      TWILIO_ACCOUNT_SID: "AC0123456789abcdef0123456789abcdef",
      TWILIO_AUTH_TOKEN: planted.twilio,
      TWILIO_FROM: "+12025550123",
      TWILIO_URL: senders,
      WHATSAPP_TOKEN: planted.whatsapp,
      WHATSAPP_PHONE_NUMBER_ID: "1234567890",
      WHATSAPP_APP_SECRET: planted.whatsappApp,
      WHATSAPP_VERIFY_TOKEN: planted.whatsappVerify,
      WHATSAPP_URL: senders
    },
    dataDir
  )
  yield* exercise({ running, answers, shown }, senders, smtp.port)
  expect([google.assertions.length > 0, smtp.refusals() > 0]).toEqual([true, true])
  for (const assertion of google.assertions) shown.add(assertion)
  yield* running.kill("SIGTERM")
  expect((yield* running.exit).code).toBe(0)
  outputs.push(...running.stdout, ...running.stderr)
  const ends = yield* Effect.forEach(
    wrongStarts,
    (env, index) =>
      BeckonProcess.run({
        args: ["serve"],
        env: {
          BECKON_DATA_DIR: path.join(folder, `wrong-${index}`),
          PORT: "0",
          BECKON_LOG_LEVEL: "trace",
          BECKON_JWT_SECRET: planted.jwt,
          DATABASE_ACQUIRE_TIMEOUT: "1 second",
          ...env
        }
      }),
    { concurrency: 3 }
  )
  for (const [index, { code, stderr, stdout }] of ends.entries()) {
    expect(code, `${Object.keys(wrongStarts[index] ?? {})[0]}: ${stderr}`).not.toBe(0)
    outputs.push(stdout, stderr)
  }

  const places = [
    ["the output", Buffer.from(outputs.join("\n"))],
    ["the answers", Buffer.from(answers.join("\n"))],
    ...filesOf(dataDir).map((file) => [path.relative(dataDir, file), readFileSync(file)] as const)
  ] as const
  const found: Array<string> = []
  for (const [name, text] of [...Object.entries(planted), ...[...shown].map((one) => ["shown once", one] as const)]) {
    for (const form of formsOf(text)) {
      for (const [place, bytes] of places) {
        const at = bytes.indexOf(form)
        if (at !== -1) found.push(`${name} in ${place}: …${bytes.subarray(Math.max(0, at - 80), at).toString("utf8")}`)
      }
    }
  }
  expect(found).toEqual([])
  const inFiles = places.slice(2).some(([, bytes]) => bytes.includes(control))
  expect([places[0][1].includes(control), places[1][1].includes(control), inFiles]).toEqual([true, true, true])
})

it.live(
  "no secret of a run is found in its output, its answers or its database",
  () => Effect.scoped(scenario),
  300_000
)
