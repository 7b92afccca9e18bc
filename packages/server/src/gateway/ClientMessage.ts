/**
 * Reads what a client sends: effect/rpc's protocol in JSON, one message or an array of messages in a text frame.
 */
import { Predicate, Result } from "effect"
import type { FromClientEncoded, RequestEncoded } from "effect/rpc/RpcMessage"

/** Messages in one frame, at most. */
export const maxMessages = 100

/** Acknowledgements of chunks, which stock clients send for each one; flow control does not need them. */
export const isChunkAck = (text: string): boolean => text.startsWith('{"_tag":"Ack"') && text.length < 200

const isRequestId = (value: unknown): value is string | number =>
  typeof value === "number" ? Number.isFinite(value) : typeof value === "string" && value.length <= 64

const isHeaders = (value: unknown): boolean =>
  value === undefined ||
  (Array.isArray(value) &&
    value.length <= 64 &&
    value.every(
      (pair) => Array.isArray(pair) && pair.length === 2 && Predicate.isString(pair[0]) && Predicate.isString(pair[1])
    ))

const toMessage = (value: unknown): Result.Result<FromClientEncoded, string> => {
  if (!Predicate.isObject(value) || Array.isArray(value)) return Result.fail("a message is a JSON object")
  const message: Record<string, unknown> = { ...value }
  switch (message["_tag"]) {
    case "Ping":
      return Result.succeed({ _tag: "Ping" })
    case "Eof":
      return Result.succeed({ _tag: "Eof" })
    case "Ack":
    case "Interrupt": {
      const requestId = message["requestId"]
      return isRequestId(requestId)
        ? Result.succeed({ _tag: message["_tag"], requestId })
        : Result.fail("requestId: a number, or a string of at most 64 characters")
    }
    case "Request": {
      const { headers, id, payload, tag } = message
      if (!isRequestId(id)) return Result.fail("id: a number, or a string of at most 64 characters")
      if (!Predicate.isString(tag)) return Result.fail("tag: the name of a call")
      if (!isHeaders(headers)) return Result.fail("headers: at most 64 pairs of strings")
      const request: RequestEncoded = { _tag: "Request", id, tag, payload, headers: [] }
      return Result.succeed(request)
    }
    default:
      return Result.fail("_tag: one of Request, Ack, Interrupt, Ping, Eof")
  }
}

/** The messages of a frame, or what is wrong with it. */
export const parse = (text: string): Result.Result<ReadonlyArray<FromClientEncoded>, string> => {
  if (isChunkAck(text)) return Result.succeed([])
  const parsed = Result.try((): unknown => JSON.parse(text))
  if (Result.isFailure(parsed)) return Result.fail("a text frame is JSON")
  const items = Array.isArray(parsed.success) ? parsed.success : [parsed.success]
  if (items.length > maxMessages) return Result.fail(`a frame holds at most ${maxMessages} messages`)
  const messages: Array<FromClientEncoded> = []
  for (const item of items) {
    const message = toMessage(item)
    if (Result.isFailure(message)) return Result.fail(message.failure)
    messages.push(message.success)
  }
  return Result.succeed(messages)
}
