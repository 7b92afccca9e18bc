/**
 * The native binding, loaded with room for real request headers, and the two calls its type declarations lack.
 *
 * **Gotchas**
 *
 * The binding reads `UWS_HTTP_MAX_HEADERS_SIZE` once while it is loaded (its own default, 4096 bytes, is less than one
 * long token and a few cookies), so this module must be the only one that imports it.
 */
import { Buffer } from "node:buffer"
import process from "node:process"
import type { HttpResponse, TemplatedApp, us_listen_socket } from "uWebSockets.js"

/** Bytes of request line and headers above which the binding itself answers 431 and closes. */
export const nativeMaxHeaderBytes = 32_768

/** Headers above which the binding itself answers 431 and closes. */
export const nativeMaxHeaderCount = 98

// A setting of the native library and not of the program: it has no other way to be told.
// oxlint-disable-next-line beckon/no-ambient -- the library reads its limit from the environment and nowhere else
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] ??= String(nativeMaxHeaderBytes)

const native = await import("uWebSockets.js")

/** `LIBUS_LISTEN_EXCLUSIVE_PORT`: without it the port is shared with other processes by `SO_REUSEPORT`. */
const exclusivePort = 1

interface ExclusiveListen {
  listen(host: string, port: number, options: number, callback: (socket: us_listen_socket | false) => void): unknown
}

export const makeApp = (): TemplatedApp => native.App()

/** Binds exclusively; the callback runs before this returns and gets `false` when binding failed, without a reason. */
export const listenExclusive = (
  app: TemplatedApp,
  host: string,
  port: number,
  callback: (socket: us_listen_socket | false) => void
): void => {
  // The binding takes host, port and options together; its declarations list only pairs of them.
  ;(app as TemplatedApp & ExclusiveListen).listen(host, port, exclusivePort, callback)
}

export const closeListenSocket = (socket: us_listen_socket): void => native.us_listen_socket_close(socket)

export const localPort = (socket: us_listen_socket): number => native.us_socket_local_port(socket)

/** The peer's address as people write it: dotted IPv4 (also when mapped into IPv6), RFC 5952 IPv6, `""` when unknown. */
export const remoteAddressText = (source: Pick<HttpResponse, "getRemoteAddress">): string => {
  const bytes = new Uint8Array(source.getRemoteAddress())
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
  if (bytes.length !== 16) return ""
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  if (mapped) return `${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16))
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1)
}

/** A copy of bytes that the binding takes back when the callback returns. */
export const copyBytes = (chunk: ArrayBuffer): Uint8Array<ArrayBuffer> => new Uint8Array(chunk.slice(0))

export const decodeUtf8 = (chunk: ArrayBuffer): string => Buffer.from(chunk).toString("utf8")
