/**
 * What the API document says of every operation: the headers that each call may carry and each answer has.
 *
 * **Details**
 *
 * No endpoint names these headers, because none handles them: the server does, around all handlers.
 */
import { Predicate } from "effect"

type Json = Record<string, unknown>

const isRecord = (value: unknown): value is Json => Predicate.isObject(value) && !Array.isArray(value)

const membersOf = (value: unknown): ReadonlyArray<readonly [string, Json]> =>
  isRecord(value)
    ? Object.entries(value).flatMap(([name, member]) => (isRecord(member) ? [[name, member] as const] : []))
    : []

const text = { type: "string" }
const whole = { type: "integer", minimum: 0 }

const header = (name: string, description: string, schema: Json, example: string) => ({
  name,
  in: "header",
  required: false,
  description,
  schema,
  example
})

const correlation = header(
  "X-Correlation-Id",
  "Names the call in logs, events and calls to providers: 1 to 128 visible ASCII characters. The server makes one where there is none, or one that does not fit.",
  { ...text, maxLength: 128 },
  "checkout-17"
)

const traceparent = header(
  "traceparent",
  "The caller's span (W3C Trace Context).",
  text,
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

const idempotencyKey = header(
  "Idempotency-Key",
  "The call is carried out once under this key, however often it is sent within 24 hours: 409 while it is under way, 422 for another call. 1 to 255 visible ASCII characters, in quotes or without.",
  text,
  '"8e03978e-40d5-43dd-bc93-6894a57f9324"'
)

const ifMatch = header("If-Match", "Changes only what has one of these entity tags: 412 otherwise.", text, '"3"')

const ifNoneMatch = header(
  "If-None-Match",
  "The entity tag that the caller has, where the answer has one: 304 when it is current.",
  text,
  '"3"'
)

const answerHeaders = {
  "X-Correlation-Id": { description: "As the caller named the call, or as the server did.", schema: text },
  "RateLimit-Limit": { description: "Calls at once, of the limit that is nearest to its end.", schema: whole },
  "RateLimit-Remaining": { description: "Calls that are left of it.", schema: whole },
  "RateLimit-Reset": { description: "Seconds until all of it is there again.", schema: whole },
  "RateLimit-Policy": { description: "The limit, and the seconds in which it fills: 1000;w=10.", schema: text },
  "Retry-After": { description: "Seconds to wait; with 429, 503 and a call that is under way.", schema: whole },
  "Idempotency-Replayed": { description: "true when the call was carried out before.", schema: text },
  ETag: { description: "The version of what is answered.", schema: text }
}
type AnswerHeader = keyof typeof answerHeaders

const headersOf = (names: ReadonlyArray<AnswerHeader>): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))

const limits: ReadonlyArray<AnswerHeader> = [
  "X-Correlation-Id",
  "RateLimit-Limit",
  "RateLimit-Remaining",
  "RateLimit-Reset",
  "RateLimit-Policy"
]

const describeOperation = (method: string, operation: Json): Json => {
  const { parameters, responses, security } = operation
  const isAuthorised = Array.isArray(security) && security.length > 0
  const isConditional = isRecord(responses) && "412" in responses
  const added = [
    correlation,
    traceparent,
    ...(isAuthorised && method === "post" ? [idempotencyKey] : []),
    ...(isConditional ? [ifMatch] : []),
    ...(isAuthorised && method === "get" ? [ifNoneMatch] : [])
  ]
  const headersFor = (status: string): ReadonlyArray<AnswerHeader> => [
    ...(isAuthorised ? limits : (["X-Correlation-Id"] as const)),
    ...(["409", "429", "503"].includes(status) ? (["Retry-After"] as const) : []),
    ...(isAuthorised && method === "post" ? (["Idempotency-Replayed"] as const) : []),
    ...(isAuthorised && (isConditional || method === "get") && status.startsWith("2") ? (["ETag"] as const) : [])
  ]
  return {
    ...operation,
    parameters: [...(Array.isArray(parameters) ? parameters : []), ...added],
    responses: Object.fromEntries(
      membersOf(responses).map(([status, response]) => [
        status,
        {
          ...response,
          headers: { ...headersOf(headersFor(status)), ...(isRecord(response["headers"]) ? response["headers"] : {}) }
        }
      ])
    )
  }
}

const methods = ["get", "post", "put", "patch", "delete"]

/** Adds them to the document. */
export const describe = (document: Json): Json => ({
  ...document,
  paths: Object.fromEntries(
    membersOf(document["paths"]).map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item).map(([method, operation]) => [
          method,
          methods.includes(method) && isRecord(operation) ? describeOperation(method, operation) : operation
        ])
      )
    ])
  ),
  components: {
    ...(isRecord(document["components"]) ? document["components"] : {}),
    headers: answerHeaders
  }
})
