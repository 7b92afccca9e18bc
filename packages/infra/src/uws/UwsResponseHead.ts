/**
 * The head of a response: checked as a whole, then written.
 */
import * as Cookies from "effect/http/Cookies"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type { HttpResponse } from "uWebSockets.js"
import type { Exchange } from "./UwsExchange.ts"
import { fieldValueBytes, isFieldName, isFieldValue, statusLine } from "./UwsProblem.ts"

export interface Head {
  readonly status: string
  readonly fields: ReadonlyArray<readonly [name: string, value: string | Uint8Array]>
  /** Declared length of the body, decimal digits. */
  readonly length: string | undefined
  readonly closes: boolean
}

/** Checks everything before the first byte is written: the binding writes whatever it is given. */
export const headOf = (response: HttpServerResponse, bodyLength?: number): Head => {
  if (response.status < 200 || response.status > 599) {
    throw new RangeError(`Invalid final response status: ${response.status}`)
  }
  if (response.statusText !== undefined && !isFieldValue(response.statusText))
    throw new TypeError("Invalid status text")
  const fields: Array<readonly [string, string | Uint8Array]> = []
  let length = bodyLength === undefined ? undefined : String(bodyLength)
  let closes = false
  const { headers } = response
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined) continue
    if (!isFieldName(name) || !isFieldValue(value)) throw new TypeError(`Invalid response header: ${name}`)
    switch (name) {
      case "content-length":
        length ??= value
        break
      case "connection":
        closes = value.toLowerCase() === "close"
        break
      // The binding writes these itself.
      case "transfer-encoding":
      case "keep-alive":
      case "date":
        break
      default:
        fields.push([name, fieldValueBytes(value)])
    }
  }
  if (!Cookies.isEmpty(response.cookies)) {
    for (const cookie of Cookies.toSetCookieHeaders(response.cookies)) {
      if (!isFieldValue(cookie)) throw new TypeError("Invalid cookie")
      fields.push(["set-cookie", fieldValueBytes(cookie)])
    }
  }
  if (length !== undefined && !/^\d+$/.test(length)) throw new TypeError("Invalid response header: content-length")
  return { status: statusLine(response.status, response.statusText), fields, length, closes }
}

export const writeHead = (exchange: Exchange, res: HttpResponse, head: Head): void => {
  exchange.headWritten = true
  res.writeStatus(head.status)
  for (const [name, value] of head.fields) res.writeHeader(name, value)
}
