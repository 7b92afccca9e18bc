/**
 * The opaque cursors of lists: what the last row of a page was, in base64url.
 */
import { Result, Schema } from "effect"
import { decodeString, encode } from "effect/encoding/Base64Url"
import { UserId } from "@beckon/domain/Identifiers"
import { Unprocessable } from "@beckon/domain/Problem"
import { identifierOf } from "@beckon/domain/Text"

const refused = Result.fail(new Unprocessable({ detail: "cursor: not a cursor that this list gave" }))

/** A cursor after the notification with this `seq`. */
export const ofSeq = (seq: number): string => encode(`s:${seq}`)

export const toSeq = (cursor: string): Result.Result<number, Unprocessable> =>
  Result.match(decodeString(cursor), {
    onFailure: () => refused,
    onSuccess: (text) => {
      const seq = /^s:(\d{1,15})$/.exec(text)?.[1]
      return seq === undefined ? refused : Result.succeed(Number(seq))
    }
  })

const isId = Schema.is(identifierOf(64))

/** A cursor after the thing with this id. */
export const ofId = (id: string): string => encode(`i:${id}`)

/** The id is one of at most 64 characters. */
export const toId = (cursor: string): Result.Result<string, Unprocessable> =>
  Result.match(decodeString(cursor), {
    onFailure: () => refused,
    onSuccess: (text) => (text.startsWith("i:") && isId(text.slice(2)) ? Result.succeed(text.slice(2)) : refused)
  })

const isUserId = Schema.is(UserId)

/** A cursor after this user. */
export const ofUser = (userId: UserId): string => encode(`u:${userId}`)

export const toUser = (cursor: string): Result.Result<UserId, Unprocessable> =>
  Result.match(decodeString(cursor), {
    onFailure: () => refused,
    onSuccess: (text) => {
      const userId = text.slice(2)
      return text.startsWith("u:") && isUserId(userId) ? Result.succeed(userId) : refused
    }
  })

/** One page of rows that were asked for with one more than `limit`, and the cursor after its last one. */
export const pageOf = <A>(rows: ReadonlyArray<A>, limit: number, after: (last: A) => string) => {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  return { data, meta: { limit, nextCursor: rows.length > limit && last !== undefined ? after(last) : null } }
}
