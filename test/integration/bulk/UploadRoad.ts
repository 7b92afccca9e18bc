/**
 * Files on their way to a real server: made while they are sent, so that the test holds none of them.
 */
import { Data, Effect } from "effect"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { request } from "node:http"
import { Readable } from "node:stream"
import { uploadPath } from "@beckon/domain/api/BulkApi"
import { service } from "../road/Road.ts"
import type { Answer } from "../road/Road.ts"

export class UploadCut extends Data.TaggedError("UploadCut")<{ readonly cause: unknown }> {}

export const header = "user_id,name,email,priority\n"

export const rowOf = (number: number): string =>
  `user-${number},"Zoë, ${number}",user-${number}@example.com,${(number % 10) + 1}\n`

const perPiece = 500

/** A file of so many rows, in pieces. */
export function* fileOf(rows: number): Generator<string> {
  yield header
  for (let from = 1; from <= rows; from += perPiece) {
    const count = Math.min(perPiece, rows - from + 1)
    yield Array.from({ length: count }, (_, index) => rowOf(from + index)).join("")
  }
}

export const sha256Of = (pieces: Iterable<string>): string => {
  const hash = createHash("sha256")
  for (const piece of pieces) hash.update(piece)
  return hash.digest("hex")
}

export interface UploadCall {
  readonly query: Readonly<Record<string, string>>
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The connection is cut instead of the end of the body. */
  readonly cut?: boolean
}

/** Sends the pieces as the server takes them; the interruption of the effect cuts the connection. */
export const upload = (
  url: string,
  pieces: Iterable<string>,
  { cut = false, headers, query, token = service }: UploadCall
): Effect.Effect<Answer, UploadCut> =>
  Effect.callback((resume) => {
    const call = request(`${url}${uploadPath}?${new URLSearchParams(query).toString()}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "text/csv", ...headers }
    })
    call.on("error", (cause) => resume(Effect.fail(new UploadCut({ cause }))))
    call.on("response", (response) => {
      const texts: Array<string> = []
      response.setEncoding("utf8").on("data", (text: string) => texts.push(text))
      response.on("end", () => {
        const type = response.headers["content-type"] ?? ""
        const text = texts.join("")
        resume(
          Effect.succeed({ status: response.statusCode ?? 0, type, body: /json/.test(type) ? JSON.parse(text) : text })
        )
      })
    })
    const body = Readable.from(pieces)
    body.pipe(call, { end: !cut })
    if (cut) body.on("end", () => call.destroy())
    return Effect.sync(() => call.destroy())
  })

/** The most resident memory that a process ever had, and has now, in MB (Linux). */
export const memoryOf = (pid: number): { readonly peak: number; readonly now: number } => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
  return { peak: of("VmHWM"), now: of("VmRSS") }
}
