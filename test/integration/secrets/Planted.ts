/**
 * What is planted, a sender that quotes it all, and the forms in which it could be found again.
 */
import { Effect } from "effect"
import { createECDH, randomBytes } from "node:crypto"
import { readdirSync } from "node:fs"
import { createServer } from "node:http"
import type { ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import path from "node:path"

/** Found in no text by chance. */
const secret = (prefix: string) => prefix + randomBytes(24).toString("hex")

export const control = `control-${randomBytes(12).toString("hex")}`

export const vapid = (() => {
  const curve = createECDH("prime256v1")
  const publicKey = curve.generateKeys("base64url")
  return { publicKey, privateKey: curve.getPrivateKey("base64url") }
})()

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
