/**
 * The second fence around secrets in the audit log: whoever records a deed leaves them out, and what looks like one is taken
 * out all the same.
 */
import type { Schema } from "effect"

const secret = /(secret|passw|token|credential|authorization|cookie|api_?-?key|private_?-?key|signature)/i

/** `token_id`, `credentials_updated_at` and the like say which one and when, not what. */
const harmless = /(_id|Id|_at|At|_hash|Hash|_ms|Ms|Count|_count)$/

export const redacted = "[redacted]"

const isSecret = (name: string): boolean => secret.test(name) && !harmless.test(name)

/** Beyond this depth nothing is read. */
const maxDepth = 32

/** UTF-16 code units of JSON; what is longer is left out, and its length said. */
const maxLength = 32_768

const isObject = (value: Schema.Json): value is { readonly [name: string]: Schema.Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const clean = (value: Schema.Json, depth: number): Schema.Json => {
  if (depth > maxDepth) return redacted
  if (Array.isArray(value)) return value.map((one: Schema.Json) => clean(one, depth + 1))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      isSecret(name) && (typeof one === "string" || typeof one === "object") && one !== null
        ? redacted
        : clean(one, depth + 1)
    ])
  )
}

/** As it may be kept. */
export const redact = (value: Schema.Json): Schema.Json => {
  const kept = clean(value, 0)
  const { length } = JSON.stringify(kept)
  return length > maxLength ? { omitted: `${length} characters of JSON` } : kept
}
