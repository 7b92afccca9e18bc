/**
 * What makes two uploads the same one.
 *
 * **Details**
 *
 * `Idempotency-Key` beside the `sha256` that the request says its file has, or that checksum alone, together with all else that it
 * says. An upload with neither is always another one: what its bytes are is known only when they have come. For the same
 * reason a key alone is refused: another file under it would pass for the first one. What the file really has is compared when
 * it is whole.
 */
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { BulkRequest } from "@beckon/domain/api/BulkApi"
import { Unprocessable } from "@beckon/domain/Problem"
import * as IdempotencyKey from "../http/IdempotencyKey.ts"

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

const noChecksum = new Unprocessable({
  detail: "sha256: needed beside an Idempotency-Key, so that another file under the same key is noticed"
})

/** Keys of different callers are different; a checksum is the tenant's. */
export const keyOf = (
  caller: string,
  header: string | undefined,
  request: BulkRequest
): Effect.Effect<UploadKey | undefined, Unprocessable> => {
  const given = header === undefined ? undefined : IdempotencyKey.parse(header)
  if (request.sha256 === undefined) return given === undefined ? Effect.undefined : Effect.fail(noChecksum)
  return Effect.succeed(
    given === undefined
      ? { requestId: `csv:${digestOf({ request })}`, field: "sha256" }
      : { requestId: `csv:${sha256(`${caller}\n${given}`)}`, field: "Idempotency-Key" }
  )
}

/** What `Content-Digest` (RFC 9530) says of a body that is nothing but the file, in hexadecimal. */
export const contentDigestOf = (header: string | undefined): string | undefined => {
  const encoded = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header ?? "")?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("hex")
}
