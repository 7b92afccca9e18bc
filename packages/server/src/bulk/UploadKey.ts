/**
 * What makes two uploads the same one.
 *
 * **Details**
 *
 * `Idempotency-Key`, or else the `sha256` that the request says its file has, together with all else that it says. An upload
 * with neither is always another one: what its bytes are is known only when they have come.
 */
import { Schema } from "effect"
import { createHash } from "node:crypto"
import { BulkRequest } from "@beckon/domain/api/BulkApi"

export interface UploadKey {
  /** Unique in the tenant. */
  readonly requestId: string
  /** What it came from, for problems. */
  readonly field: "Idempotency-Key" | "sha256"
}

const encode = Schema.encodeSync(Schema.fromJsonString(BulkRequest))

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Of all that an upload says before its file. */
export const digestOf = ({ request }: { readonly request: BulkRequest }): string => sha256(encode(request))

/** Quoted, as the structured field of the draft has it, or bare. */
const unquoted = (value: string): string => /^"(.*)"$/.exec(value.trim())?.[1] ?? value.trim()

/** Keys of different callers are different; a checksum is the tenant's. */
export const keyOf = (caller: string, header: string | undefined, request: BulkRequest): UploadKey | undefined => {
  const given = header === undefined ? "" : unquoted(header)
  if (given !== "") {
    return { requestId: `csv:${sha256(`${caller}\n${given}`)}`, field: "Idempotency-Key" }
  }
  return request.sha256 === undefined ? undefined : { requestId: `csv:${digestOf({ request })}`, field: "sha256" }
}
