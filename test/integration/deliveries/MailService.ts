/**
 * A mail service on loopback that speaks SendGrid's API, and misbehaves as often as a test wants.
 *
 * **Details**
 *
 * It counts every request by the id of its delivery, also those that it fails, and remembers which it accepted.
 */
import { Effect, Schema } from "effect"
import type { Scope } from "effect"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"

const Body = Schema.Struct({
  personalizations: Schema.NonEmptyArray(
    Schema.Struct({
      to: Schema.NonEmptyArray(Schema.Struct({ email: Schema.String })),
      custom_args: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
    })
  ),
  subject: Schema.optionalKey(Schema.String),
  custom_args: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
})
const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Body))

export interface MailService {
  readonly url: string
  /** Requests by delivery. */
  readonly asked: ReadonlyMap<string, number>
  /** Accepted mails by delivery. */
  readonly accepted: ReadonlyMap<string, number>
  readonly to: ReadonlyArray<string>
}

/** How a request goes wrong. */
const mishaps: ReadonlyArray<(request: IncomingMessage, response: ServerResponse) => void> = [
  (_request, response) => void response.writeHead(500).end("{}"),
  (_request, response) => void response.writeHead(503).end(),
  (_request, response) => void response.writeHead(429).end('{"errors":[{"message":"too many requests"}]}'),
  (_request, response) => void response.writeHead(429, { "retry-after": "1" }).end("{}"),
  (request) => void request.socket.resetAndDestroy(),
  (request, response) => {
    response.writeHead(202, { "content-length": "100" }).write("half")
    request.socket.destroySoon()
  }
]

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** `random` gives numbers from 0 to 1; of the requests, the part `failing` goes wrong. */
export const start = (options: {
  readonly failing: number
  readonly random: () => number
}): Effect.Effect<MailService, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<MailService & { readonly close: () => void }>((resume) => {
      const asked = new Map<string, number>()
      const accepted = new Map<string, number>()
      const to: Array<string> = []
      const server = createServer((request, response) => {
        bodyOf(request).then(
          (text) => {
            const body = decode(text)
            const [first] = body.personalizations
            const id = first.custom_args?.["delivery_id"] ?? body.custom_args?.["delivery_id"] ?? "?"
            asked.set(id, (asked.get(id) ?? 0) + 1)
            const mishap = mishaps[Math.floor(options.random() * mishaps.length)]
            if (options.random() < options.failing && mishap !== undefined) return mishap(request, response)
            accepted.set(id, (accepted.get(id) ?? 0) + 1)
            to.push(first.to[0].email)
            response.writeHead(202, { "x-message-id": `message-${id}` }).end()
          },
          // The sender was killed in the middle of its request.
          () => request.socket.destroy()
        )
      })
      server.keepAliveTimeout = 60_000
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, asked, accepted, to, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
