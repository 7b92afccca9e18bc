/**
 * Reads what was saved under rules that have changed since: a time zone that was renamed, a channel that is gone. What does not
 * decode is left out, and all else counts.
 *
 * **Details**
 *
 * An element of a list goes as a whole: half a step of a routing is another step.
 */
import { Result, SchemaIssue } from "effect"
import type { Schema } from "effect"

type Path = ReadonlyArray<PropertyKey>

export interface Salvaged<A> {
  readonly value: A
  /** Paths of what was left out, with dots; empty when everything decoded. */
  readonly dropped: ReadonlyArray<string>
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const keyOf = (segment: PropertyKey | { readonly key: PropertyKey }): PropertyKey =>
  typeof segment === "object" ? segment.key : segment

const firstPath = (error: Schema.SchemaError): Path => {
  const path = (formatIssue(error.issue).issues[0]?.path ?? []).map(keyOf)
  const element = path.findIndex((key) => typeof key === "number")
  return element < 0 ? path : path.slice(0, element + 1)
}

const isObject = (value: unknown): value is Readonly<Record<PropertyKey, unknown>> =>
  typeof value === "object" && value !== null

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value)

const without = (value: unknown, [key, ...rest]: Path): unknown => {
  if (key === undefined || !isObject(value)) return value
  if (Array.isArray(value)) {
    return rest.length === 0
      ? value.filter((_, index) => index !== key)
      : value.map((inner: unknown, index) => (index === key ? without(inner, rest) : inner))
  }
  const { [key]: inner, ...others } = value
  return rest.length === 0 ? others : { ...others, [key]: without(inner, rest) }
}

/** A key that is missing takes away what it is missing from. */
const removable = (value: unknown, path: Path): Path =>
  path.length > 0 && at(value, path) === undefined ? removable(value, path.slice(0, -1)) : path

/**
 * As much of a stored object as decodes; `fallback`, when nothing does.
 *
 * `required` are the keys that must be there, with what stands in for them.
 */
export const salvage = <A>(
  decode: (input: unknown) => Result.Result<A, Schema.SchemaError>,
  stored: unknown,
  required: Readonly<Record<string, unknown>>,
  fallback: A
): Salvaged<A> => {
  const dropped: Array<string> = []
  const standIn = (value: unknown, [key, ...rest]: Path) => {
    if (typeof key !== "string" || rest.length > 0 || !isObject(value) || !(key in required)) return undefined
    return value[key] === required[key] ? undefined : { ...value, [key]: required[key] }
  }
  let left = stored
  for (;;) {
    const decoded = decode(left)
    if (Result.isSuccess(decoded)) return { value: decoded.success, dropped }
    const path = firstPath(decoded.failure)
    const completed = standIn(left, path)
    const gone = completed === undefined ? removable(left, path) : path
    dropped.push(gone.length === 0 ? "everything" : gone.map(String).join("."))
    if (gone.length === 0) return { value: fallback, dropped }
    left = completed ?? without(left, gone)
  }
}
