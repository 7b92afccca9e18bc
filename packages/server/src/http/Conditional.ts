/**
 * Conditional calls (RFC 9110 section 13): `ETag` out, `If-Match` and `If-None-Match` in.
 *
 * **Details**
 *
 * A handler says which version it answers with `tag`; a GET whose caller has that version gets 304 by itself (`Edge`). Before a
 * change it asks `expected`, and hands the version to the store, which compares it in the statement that writes: 412 when
 * another version is there. Without `If-Match` everything is as if there were no versions.
 */
import { Effect } from "effect"
import type { Schema } from "effect"
import { createHash } from "node:crypto"
import { BadRequest, PreconditionFailed } from "@beckon/domain/Problem"
import { CurrentCall } from "./CurrentCall.ts"

/** The versions that a caller accepts: any that is there, or one of these. */
export type Expectation = "any" | ReadonlyArray<string>

const listed = /\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)/y

/** The tags of `If-Match` or `If-None-Match`; nothing when the header is none. */
const parse = (header: string): "any" | ReadonlyArray<{ readonly weak: boolean; readonly tag: string }> | undefined => {
  if (header.trim() === "*") return "any"
  const tags: Array<{ weak: boolean; tag: string }> = []
  listed.lastIndex = 0
  while (listed.lastIndex < header.length) {
    const match = listed.exec(header)
    if (match === null) return undefined
    tags.push({ weak: match[1] !== undefined, tag: match[2] ?? "" })
  }
  return tags.length === 0 ? undefined : tags
}

/** Weak tags match nothing here (RFC 9110 section 13.1.1: strong comparison). */
export const ifMatch = (header: string): Expectation | undefined => {
  const tags = parse(header)
  return tags === undefined || tags === "any" ? tags : tags.flatMap(({ tag, weak }) => (weak ? [] : [tag]))
}

/** Whether the caller has this version already (weak comparison); `etag` is in quotes. */
export const isCurrent = (header: string, etag: string): boolean => {
  const tags = parse(header)
  return tags === "any" || (tags?.some(({ tag }) => `"${tag}"` === etag) ?? false)
}

/** The same text for the same value, whatever the order of its names (in the manner of RFC 8785). */
const canonical = (value: Schema.Json): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  const members = Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
  return `{${members.join(",")}}`
}

/** A version for what is not counted: it follows from what it says. */
export const contentTag = (value: Schema.Json): string =>
  createHash("sha256").update(canonical(value)).digest("base64url").slice(0, 22)

/** Says which version the answer has. */
export const tag = (version: string | number): Effect.Effect<void> =>
  Effect.map(CurrentCall, (call) => {
    if (call !== undefined) call.etag = `"${version}"`
  })

/** What the call's `If-Match` says; nothing when it has none. */
export const expected: Effect.Effect<Expectation | undefined, BadRequest> = Effect.flatMap(CurrentCall, (call) => {
  const header = call?.request.headers["if-match"]
  if (header === undefined) return Effect.undefined
  const expectation = ifMatch(header)
  return expectation === undefined
    ? Effect.fail(new BadRequest({ detail: 'if-match: "*", or entity tags in quotes, separated by commas' }))
    : Effect.succeed(expectation)
})

/** `If-Match` where versions are whole numbers: the one version that may be changed, `any`, or nothing to look at. */
export const expectedVersion = Effect.gen(function* () {
  const expectation = yield* expected
  if (expectation === undefined || expectation === "any") return expectation
  const [version, ...others] = expectation.flatMap((one) => (/^\d{1,15}$/.test(one) ? [Number(one)] : []))
  if (version === undefined) return yield* failed()
  if (others.length === 0) return version
  return yield* new BadRequest({ detail: "if-match: one entity tag; there is one version at a time" })
})

/** The 412 problem; `current` is the tag that is there now, where it is known. */
export const failed = (current?: string | number): PreconditionFailed =>
  new PreconditionFailed({
    detail:
      current === undefined
        ? "if-match: not the version that is there"
        : `if-match: the version that is there is "${current}"`
  })

/** Fails with 412 when the version that is there is not what the caller expects. For what no statement can compare. */
export const check = (
  expectation: Expectation | undefined,
  current: string | undefined
): Effect.Effect<void, PreconditionFailed> =>
  expectation === undefined || (current !== undefined && (expectation === "any" || expectation.includes(current)))
    ? Effect.void
    : Effect.fail(failed(current))
