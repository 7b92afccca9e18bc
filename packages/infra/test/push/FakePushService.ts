/**
 * A browser and its push service on loopback: signatures are verified (RFC 8292), and the browser opens what it gets (RFC 8291, 8188).
 */
import { Effect, Redacted } from "effect"
import { jwtVerify } from "jose"
import { createDecipheriv, createECDH, createHmac, createPublicKey, hkdfSync, randomBytes } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import { start, text } from "./LoopbackTls.ts"
import type { Loopback, Reply } from "./LoopbackTls.ts"

export const pushHost = "updates.push.services.mozilla.com"

export interface Browser {
  readonly token: Redacted.Redacted
  readonly open: (body: Buffer) => string
}

/** Opens one record of `aes128gcm`, by the steps of RFC 8291, section 3.4. */
export const makeBrowser = (path: string, host = pushHost): Browser => {
  const keys = createECDH("prime256v1")
  const p256dh = keys.generateKeys()
  const auth = randomBytes(16)
  const endpoint = `https://${host}/wpush/v2/${path}`
  const subscription = { endpoint, keys: { p256dh: p256dh.toString("base64url"), auth: auth.toString("base64url") } }
  return {
    token: Redacted.make(JSON.stringify(subscription)),
    open: (body) => {
      const salt = body.subarray(0, 16)
      const sender = body.subarray(21, 21 + body.readUInt8(20))
      const info = Buffer.concat([Buffer.from("WebPush: info\0"), p256dh, sender])
      const prk = createHmac("sha256", auth).update(keys.computeSecret(sender)).digest()
      const ikm = createHmac("sha256", prk)
        .update(info)
        .update(Buffer.from([1]))
        .digest()
      const derive = (name: string, length: number) =>
        Buffer.from(hkdfSync("sha256", ikm, salt, `Content-Encoding: ${name}\0`, length))
      const cipher = body.subarray(21 + sender.length)
      const decipher = createDecipheriv("aes-128-gcm", derive("aes128gcm", 16), derive("nonce", 12))
      decipher.setAuthTag(cipher.subarray(-16))
      const plain = Buffer.concat([decipher.update(cipher.subarray(0, -16)), decipher.final()])
      return plain.subarray(0, plain.lastIndexOf(2)).toString()
    }
  }
}

export interface Push {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface FakePushService extends Loopback {
  readonly pushes: Array<Push>
  /** By the last part of the endpoint; without one a push is taken. */
  readonly fates: Map<string, Reply>
}

/** The key of a pair as `jose` takes it. */
const keyOf = (publicKey: string) => {
  const bytes = Buffer.from(publicKey, "base64url")
  const [x, y] = [bytes.subarray(1, 33).toString("base64url"), bytes.subarray(33).toString("base64url")]
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" })
}

export const startPushService = Effect.fnUntraced(function* (publicKey: string) {
  const pushes: Array<Push> = []
  const fates: FakePushService["fates"] = new Map()
  const loopback = yield* start([pushHost], (request, body, response) => {
    const path = (request.url ?? "").split("/").at(-1) ?? ""
    const [, jwt, key] = /^vapid t=([^,]+), k=(.+)$/.exec(request.headers.authorization ?? "") ?? []
    const verified = jwtVerify(jwt ?? "", keyOf(publicKey), {
      audience: `https://${pushHost}`,
      requiredClaims: ["exp", "sub"]
    })
    verified.then(
      () => {
        if (key !== publicKey) return text(403, "the key is not the subscription's")(response)
        pushes.push({ path, headers: request.headers, body })
        return (fates.get(path) ?? text(201, "", { location: "/m/1" }))(response)
      },
      () => text(403, "VAPID signature")(response)
    )
  })
  const service: FakePushService = { ...loopback, pushes, fates }
  return service
})
