import { Effect, Redacted, Schema } from "effect"

/** The database URL cannot be used. Says what is wrong without quoting the URL, which holds a password. */
export class DatabaseUrlInvalid extends Schema.TaggedError<DatabaseUrlInvalid>()("DatabaseUrlInvalid", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The database URL is not valid: ${this.reason}`
  }
}

export interface ServerIdentity {
  readonly host: string
  readonly port: number
  readonly name: string
}

const invalid = (reason: string) => Effect.fail(new DatabaseUrlInvalid({ reason }))

/** `decodeURIComponent`, or `undefined` where the escapes are broken. */
const decode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

/**
 * Host, port and database name of a libpq URI, with the same precedence as the driver: query parameters win over the
 * authority; the name defaults to the user's.
 *
 * Checked here first because the driver's own error carries the URL, and with it the password, as its cause.
 */
export const parseServerUrl = (url: Redacted.Redacted): Effect.Effect<ServerIdentity, DatabaseUrlInvalid> =>
  Effect.suspend(() => {
    const raw = Redacted.value(url)
    if (!URL.canParse(raw)) return invalid("it is not a URL")
    const parsed = new URL(raw)
    if (parsed.protocol !== "postgres:" && parsed.protocol !== "postgresql:") {
      return invalid("it must begin with postgres:// or postgresql://")
    }
    const user = decode(parsed.username)
    const password = decode(parsed.password)
    const path = decode(parsed.pathname.slice(1))
    const hostname = decode(parsed.hostname)
    if (user === undefined || password === undefined || path === undefined || hostname === undefined) {
      return invalid("a percent escape in it is broken")
    }
    const query = parsed.searchParams
    const port = Number(query.get("port") ?? (parsed.port === "" ? 5432 : parsed.port))
    if (!Number.isInteger(port) || port < 1 || port > 65535) return invalid("its port is not between 1 and 65535")
    return Effect.succeed({
      host: query.get("host") ?? (hostname === "" ? "localhost" : hostname.replace(/^\[|\]$/g, "")),
      port,
      name: query.get("dbname") ?? (path === "" ? (query.get("user") ?? user) : path)
    })
  })
