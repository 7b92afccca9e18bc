/**
 * What is planted, a sender that quotes it all, and the forms in which it could be found again.
 */
import { Effect } from "effect"
import { createECDH, generateKeyPairSync, randomBytes } from "node:crypto"
import { readdirSync } from "node:fs"
import { createServer } from "node:http"
import type { ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import path from "node:path"
import * as SmtpFixture from "../../../packages/infra/test/email/SmtpFixture.ts"

/** Found in no text by chance. */
const secret = (prefix: string) => prefix + randomBytes(24).toString("hex")

export const control = `control-${randomBytes(12).toString("hex")}`

export const vapid = (() => {
  const curve = createECDH("prime256v1")
  const publicKey = curve.generateKeys("base64url")
  return { publicKey, privateKey: curve.getPrivateKey("base64url") }
})()

const fcmKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString()

export const planted = {
  jwt: secret("jwt-"),
  key: randomBytes(32).toString("hex"),
  formerKey: randomBytes(32).toString("hex"),
  databasePassword: secret("database-"),
  sendgrid: secret("SG."),
  twilio: secret("twilio-"),
  whatsapp: secret("EAA"),
  whatsappApp: secret("app-"),
  whatsappVerify: secret("verify-"),
  vapid: vapid.privateKey,
  smtp: secret("smtp-"),
  // A line of it; the whole has line breaks, which look otherwise in every text.
  fcm: fcmKey.split("\n")[5] ?? "",
  ownTwilio: secret("own-twilio-"),
  ownSendgrid: secret("SG.own-"),
  ownWhatsapp: secret("own-EAA"),
  ownWhatsappApp: secret("own-app-"),
  ownSmtp: secret("own-smtp-"),
  changed: secret("changed-"),
  misplaced: secret("misplaced-"),
  malformed: secret("malformed-"),
  deviceToken: secret("device-"),
  badBearer: secret("bearer-"),
  badBasic: secret("basic-")
}

/** A sender that quotes what it was given, in the way that it was told by the path: `/401`, `/500`, `/hang`, `/half`. */
export const quoting = Effect.gen(function* () {
  const reply = (mood: string, said: string, response: ServerResponse): void => {
    if (mood === "hang") return
    const body = JSON.stringify({ message: said, errors: [{ message: said }], error: { code: 190, message: said } })
    if (mood === "half") {
      response.writeHead(500, { "content-length": "100000" })
      response.write(body)
      return void setTimeout(() => response.destroy(), 20)
    }
    const status = mood === "ok" ? 200 : Number(mood)
    response.writeHead(status, {
      "content-type": "application/json",
      "x-quoted": encodeURIComponent(said).slice(0, 500)
    })
    response.end(mood === "ok" ? JSON.stringify({ sid: "SM1", messages: [{ id: "wamid.1" }] }) : body)
  }
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("error", () => undefined)
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { authorization = "" } = request.headers
      const decoded = Buffer.from(authorization.replace(/^Basic /, ""), "base64").toString("utf8")
      const text = decodeURIComponent(Buffer.concat(chunks).toString("utf8").replaceAll("+", " "))
      const mood = /mood-(\w+)/.exec(text)?.[1] ?? "ok"
      reply(mood, `${authorization} ${decoded} ${request.url} ${text}`, response)
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
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

/** Google's place for access tokens: refuses every service account, and quotes what it was given. */
export const tokenEndpoint = Effect.gen(function* () {
  const { cert, private: key } = yield* SmtpFixture.certificate
  const assertions: Array<string> = []
  const server = createTlsServer({ cert, key }, (request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const assertion = new URLSearchParams(Buffer.concat(chunks).toString("utf8")).get("assertion") ?? ""
      assertions.push(assertion)
      // The first one is tried again; after the second the account is left alone.
      response.writeHead(assertions.length === 1 ? 500 : 401, { "content-type": "application/json" })
      response.end(JSON.stringify({ error: "invalid_grant", error_description: `${control} no: ${assertion}` }))
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
  const account = {
    type: "service_account",
    project_id: "planted",
    client_email: "beckon@planted.example",
    private_key: fcmKey,
    token_uri: `https://localhost:${(server.address() as AddressInfo).port}/token`
  }
  return { account: JSON.stringify(account), assertions }
})

/** The mail server of the deployment, which also refuses the tenant's account; both refusals quote the password. */
export const mailServer = Effect.gen(function* () {
  let refusals = 0
  const smtp = yield* SmtpFixture.start({
    secure: true,
    authOptional: false,
    onAuth: ({ password, username }, _session, done) =>
      username === "ada" && password === planted.smtp
        ? done(null, { user: username })
        : done(SmtpFixture.refusal(`535 5.7.8 No: ${username} ${password}`)),
    onRcptTo: (_address, _session, done) =>
      done(refusals++ < 2 ? SmtpFixture.refusal(`451 4.3.0 Try again later, ada ${planted.smtp}`) : null)
  })
  return { ...smtp, refusals: () => refusals }
})

/** Every spelling in which a secret may be found again. */
export const formsOf = (text: string): ReadonlyArray<Buffer> => {
  const bytes = Buffer.from(text)
  const forms = [text, bytes.toString("hex"), encodeURIComponent(text), JSON.stringify(text).slice(1, -1)]
  // In base64 a text looks in three ways, by its place: the middle of each is the same wherever it stands.
  for (const offset of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64")
    forms.push(padded.slice(offset === 0 ? 0 : 4, -4))
  }
  const raw = /^[0-9a-f]{64}$/.test(text) ? [Buffer.from(text, "hex")] : []
  return [...forms.map((form) => Buffer.from(form)), ...raw]
}

export const filesOf = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
