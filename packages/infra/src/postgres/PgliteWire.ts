/**
 * The few PostgreSQL wire protocol 3.0 messages (documentation chapter "Frontend/Backend Protocol") which the embedded
 * database has to read or to answer by itself, because PGlite is one backend that is shared by several connections.
 */

export const frontend = {
  parse: 0x50,
  bind: 0x42,
  close: 0x43,
  sync: 0x53,
  query: 0x51,
  terminate: 0x58
} as const

export const backend = {
  notification: 0x41,
  readyForQuery: 0x5a
} as const

/** Request codes of messages without a type byte, sent before a session exists. */
export const request = {
  cancel: 80877102,
  ssl: 80877103,
  gss: 80877104
} as const

/** Transaction status byte of `ReadyForQuery`: idle, that is outside a transaction. */
export const idle = 0x49

const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.allocUnsafe(5)
  head.write(type, 0, "latin1")
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const text = (...parts: ReadonlyArray<string>): Buffer => Buffer.from(parts.map((part) => `${part}\0`).join(""), "utf8")

const int32 = (...values: ReadonlyArray<number>): Buffer => {
  const bytes = Buffer.allocUnsafe(values.length * 4)
  values.forEach((value, index) => bytes.writeInt32BE(value, index * 4))
  return bytes
}

export const readyForQuery: Buffer = message("Z", Buffer.from([idle]))

export const sslRefused: Buffer = Buffer.from("N", "latin1")

/** What a server answers to a startup message when it asks for no password. */
export const startupReply = (processId: number, secret: number): Buffer =>
  Buffer.concat([
    message("R", int32(0)),
    message("S", text("client_encoding", "UTF8")),
    message("S", text("integer_datetimes", "on")),
    message("K", int32(processId, secret)),
    readyForQuery
  ])

/** `ErrorResponse` and the `ReadyForQuery` which ends the refused cycle. */
export const refusal = (sqlState: string, reason: string): Buffer =>
  Buffer.concat([
    message("E", Buffer.concat([text("SERROR", "VERROR", `C${sqlState}`, `M${reason}`), Buffer.of(0)])),
    readyForQuery
  ])

export const simpleQuery = (sql: string): Buffer => message("Q", text(sql))

export const closeStatement = (name: string): Buffer => message("C", text(`S${name}`))

export const sync: Buffer = message("S", Buffer.alloc(0))

/** The zero-terminated string at `offset`, and where the next field begins. */
export const readText = (bytes: Buffer, offset: number): readonly [value: string, next: number] => {
  const end = bytes.indexOf(0, offset)
  return [bytes.toString("utf8", offset, end), end + 1]
}

/** The length of the message at `offset`, type byte included, or 0 while its length is not known yet. */
export const messageLength = (bytes: Buffer, offset: number): number =>
  bytes.length - offset < 5 ? 0 : bytes.readInt32BE(offset + 1) + 1

const listenPattern = /^(UN)?LISTEN\s+(?:"((?:[^"]|"")+)"|([\w$]+))\s*;?$/i

export interface ListenCommand {
  readonly listen: boolean
  readonly channel: string
}

/** Recognizes `LISTEN channel` and `UNLISTEN channel`; the channel is folded and unquoted as PostgreSQL does it. */
export const parseListen = (sql: string): ListenCommand | undefined => {
  const match = listenPattern.exec(sql)
  if (match === null) return undefined
  const quoted = match[2]?.replaceAll('""', '"')
  return { listen: match[1] === undefined, channel: quoted ?? (match[3] ?? "").toLowerCase() }
}

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`
