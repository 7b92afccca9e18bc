/**
 * One HTTPS POST that follows no redirect, reads a small answer, and ends with the fiber that asked.
 */
import { Effect, Schema } from "effect"
import { request } from "node:https"
import type { Agent } from "node:https"
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http"

/** No whole answer came: whether the server took the request is not known. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", {
  cause: Schema.Defect()
}) {}

export interface Post {
  readonly url: string
  readonly headers: OutgoingHttpHeaders
  readonly body: string | Uint8Array
  readonly agent: Agent
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** An answer is a few hundred bytes; who sends more is not heard out. */
const maxAnswerBytes = 65_536

export const httpsPost = ({ agent, body, headers, url }: Post): Effect.Effect<Answer, NoAnswer> =>
  Effect.callback((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(new NoAnswer({ cause })))
    const call = request(url, { method: "POST", headers, agent })
    call.on("error", fail)
    call.on("response", (response) => {
      const chunks: Array<Buffer> = []
      let bytes = 0
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxAnswerBytes) call.destroy(new Error(`the answer has more than ${maxAnswerBytes} bytes`))
        else chunks.push(chunk)
      })
      response.on("error", fail)
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8")
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text }))
      })
    })
    call.end(body)
    return Effect.sync(() => void call.destroy())
  })
