/**
 * The errors that callers see, as RFC 9457 problems; the same on HTTP and on the RPC wire.
 *
 * **Details**
 *
 * `type` is what a program branches on; `detail` says what was wrong with this request, and names the field and its limit.
 */
import { HttpApiError } from "effect/http-api"

export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: "urn:beckon:problem:unauthorized",
  status: 401,
  title: "The token is missing, malformed or expired."
}) {}

export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: "urn:beckon:problem:forbidden",
  status: 403,
  title: "The token does not allow this."
}) {}

export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", {
  type: "urn:beckon:problem:not-found",
  status: 404,
  title: "There is no such thing, or it is not yours."
}) {}

export class Conflict extends HttpApiError.Problem<Conflict>()("Conflict", {
  type: "urn:beckon:problem:conflict",
  status: 409,
  title: "The state of the resource does not allow this."
}) {}

export class Unprocessable extends HttpApiError.Problem<Unprocessable>()("Unprocessable", {
  type: "urn:beckon:problem:unprocessable",
  status: 422,
  title: "The request is well-formed but breaks a rule."
}) {}

export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()("TooManyRequests", {
  type: "urn:beckon:problem:too-many-requests",
  status: 429,
  title: "Too many requests."
}) {}

/** Nothing was done, or it is not known whether it was: send again with the same `dedupeKey`. */
export class Unavailable extends HttpApiError.Problem<Unavailable>()("Unavailable", {
  type: "urn:beckon:problem:unavailable",
  status: 503,
  title: "The service cannot do this at the moment. Try again."
}) {}

export class BadRequest extends HttpApiError.Problem<BadRequest>()("BadRequest", {
  type: "urn:beckon:problem:bad-request",
  status: 400,
  title: "The request is not well-formed."
}) {}

export class PreconditionFailed extends HttpApiError.Problem<PreconditionFailed>()("PreconditionFailed", {
  type: "urn:beckon:problem:precondition-failed",
  status: 412,
  title: "Another version is there than the one that is expected."
}) {}
