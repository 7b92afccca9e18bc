/**
 * An endpoint on loopback that takes everything, and tells afterwards which secrets its last caller signed with.
 */
import { Effect, Redacted } from "effect"
import { createHmac } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export const signatureReceiver = Effect.gen(function* () {
  let signed = ""
  let signatures: ReadonlyArray<string> = []
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { "webhook-id": id, "webhook-signature": given, "webhook-timestamp": at } = request.headers
      signed = `${String(id)}.${String(at)}.${Buffer.concat(chunks).toString("utf8")}`
      signatures = String(given).split(" ")
      response.writeHead(204, { connection: "close" }).end()
    })
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  return {
    url: `http://127.0.0.1:${port}/`,
    /** Computed here from the specification's words, not by the sender's library. */
    verify: (secrets: ReadonlyArray<Redacted.Redacted>) =>
      Effect.sync(() =>
        secrets.map((secret) => {
          const key = Buffer.from(Redacted.value(secret).replace("whsec_", ""), "base64")
          return signatures.includes(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`)
        })
      )
  }
})
