/**
 * What an error of firebase-admin means for the delivery.
 *
 * **Details**
 *
 * FCM's own answer decides, not the code that firebase-admin makes of it: that one calls a wrong project and a dead token both
 * `registration-token-not-registered`, and a wrong token and a wrong image both `invalid-argument`.
 * Codes: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
 *
 * **Gotchas**
 *
 * `unreachable` costs the user his device: only `UNREGISTERED`, and `INVALID_ARGUMENT` that names the token, are of this class.
 */
import { Option, Predicate, Schema } from "effect"
import { failed, ofStatus, unanswered } from "../http/ProviderFailure.ts"
import type { Failed } from "../http/ProviderFailure.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"

const decodeAnswer = Schema.decodeUnknownOption(
  Schema.Struct({
    error: Schema.Struct({
      status: Schema.optionalKey(Schema.String),
      message: Schema.optionalKey(Schema.String),
      details: Schema.optionalKey(
        Schema.Array(
          Schema.Struct({
            errorCode: Schema.optionalKey(Schema.String),
            fieldViolations: Schema.optionalKey(
              Schema.Array(Schema.Struct({ field: Schema.optionalKey(Schema.String) }))
            )
          })
        )
      )
    })
  })
)

const decodeHttp = Schema.decodeUnknownOption(
  Schema.Struct({
    status: Schema.Finite,
    headers: Schema.Record(Schema.String, Schema.Unknown),
    data: Schema.Unknown
  })
)

/** What FCM says of a token in an `INVALID_ARGUMENT` without field violations. */
const blamesToken = /not a valid FCM registration token/i

const httpOf = (error: unknown) =>
  Predicate.hasProperty(error, "httpResponse") ? Option.getOrUndefined(decodeHttp(error.httpResponse)) : undefined

/** FCM answered that the access token is not good (any more). */
export const isUnauthenticated = (error: unknown): boolean => httpOf(error)?.status === 401

const firebaseCodeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : "unknown"

/** Without an answer of FCM: firebase-admin's own check of the message, or the way there. */
const withoutAnswer = (error: unknown): Failed => {
  const code = firebaseCodeOf(error)
  if (code.startsWith("messaging/invalid-")) {
    const detail = error instanceof Error ? error.message : code
    return failed("permanent", code.replace("messaging/", ""), detail)
  }
  return unanswered(error)
}

/** Which outcome an error of `send` is; `now` in ms since 1970. */
export const failureOf = (error: unknown, now: number): Failed => {
  const http = httpOf(error)
  if (http === undefined) return withoutAnswer(error)
  const { data, headers, status } = http
  const answer = Option.getOrUndefined(decodeAnswer(data))?.error
  const details = answer?.details ?? []
  const fcmCode = details.find(({ errorCode }) => errorCode !== undefined)?.errorCode
  const code = fcmCode ?? answer?.status ?? `http_${status}`
  const detail = `FCM answered ${status}: ${answer?.message ?? code}`
  if (status < 300) return failed("transient", "bad_answer", "FCM's answer is not understood")
  if (fcmCode === "UNREGISTERED") return failed("unreachable", "UNREGISTERED", detail)
  if (code === "INVALID_ARGUMENT") {
    const fields = details.flatMap(({ fieldViolations }) => fieldViolations ?? []).map(({ field }) => field)
    const ofToken = fields.length > 0 ? fields.every((field) => field === "message.token") : blamesToken.test(detail)
    return ofToken ? failed("unreachable", "INVALID_TOKEN", detail) : failed("permanent", code, detail)
  }
  // The token is of another project's app: it can never be reached by this account, which is good for all others.
  if (fcmCode === "SENDER_ID_MISMATCH") return failed("permanent", fcmCode, detail)
  // A message cannot be in a project that is not there: a bare 404 is about our settings.
  if (status === 401 || status === 403 || status === 404) return failed("credentials", code, detail)
  const wait = retryAfterOf(headers["retry-after"], now)
  return ofStatus(status, code, detail, wait) ?? failed("permanent", code, detail)
}
