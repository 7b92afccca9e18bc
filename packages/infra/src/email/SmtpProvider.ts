/**
 * Email through an SMTP server.
 *
 * **Details**
 *
 * nodemailer keeps a pool of connections, makes the MIME message and signs it (DKIM). One try is one transaction: its own second tries
 * after a lost connection are switched off. A try that takes too long is called off, which closes its connection.
 *
 * Encryption is required: `smtps:` from the first byte, `smtp:` by STARTTLS before anything is said, unless the settings allow less.
 *
 * **Gotchas**
 *
 * A connection that breaks after the last byte of a message, before the reply, leaves open whether the server took it. The next try
 * has the same `Message-ID`.
 */
import { Duration, Effect, Redacted, Schema } from "effect"
import type { Scope } from "effect"
import { createTransport } from "nodemailer"
import { createPrivateKey } from "node:crypto"
import type { Socket } from "node:net"
import type { SendOutcome } from "@beckon/domain/Delivery"
import type { ChannelProvider, Outgoing } from "@beckon/domain/ports/ChannelProvider"
import * as CorrelationId from "../http/CorrelationId.ts"
import { presentable } from "../http/ProviderHttp.ts"
import { timedOut } from "../http/ProviderFailure.ts"
import { domainOf, emailAddressOf } from "./EmailAddress.ts"
import { prepare } from "./PreparedEmail.ts"
import { failureOf } from "./SmtpFailure.ts"

export interface SmtpSettings {
  /** `smtps://user:password@host:465` or `smtp://user:password@host:587`; what is reserved in URLs is percent-encoded. */
  readonly url: Redacted.Redacted
  /** `Acme <no-reply@acme.example>`. */
  readonly from: string
  /** For `smtp:` only. `required` by default; `offered` takes it when the server has it; `never` is for a server on this machine. */
  readonly startTls?: "required" | "offered" | "never"
  /** PEM; authorities to trust instead of those that Node brings. */
  readonly ca?: string
  readonly dkim?: {
    readonly domain: string
    readonly selector: string
    /** PEM, RSA. */
    readonly privateKey: Redacted.Redacted
  }
  /** For one try; 15 s by default. */
  readonly timeout?: Duration.Input
  /** Connections, and so messages at a time; 5 by default. */
  readonly connections?: number
  readonly rate?: ChannelProvider["rate"]
  /** Opens the connections instead of nodemailer, for a host that a stranger chose. */
  readonly dial?: (host: string, port: number) => Socket
}

export class SmtpSettingsInvalid extends Schema.TaggedError<SmtpSettingsInvalid>()("SmtpSettingsInvalid", {
  reason: Schema.String
}) {
  override get message() {
    return `The settings of SMTP are not usable: ${this.reason}`
  }
}

/** nodemailer threw. */
class SmtpError extends Schema.TaggedError<SmtpError>()("SmtpError", { cause: Schema.Defect() }) {}

interface Server {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  readonly auth: { readonly user: string; readonly pass: string } | undefined
  readonly secrets: ReadonlyArray<Redacted.Redacted>
}

const invalid = (reason: string) => Effect.fail(new SmtpSettingsInvalid({ reason }))

/** Options in the URL's query, which nodemailer would follow, are refused: they could switch certificates off or a log on. */
const serverOf = Effect.fnUntraced(function* (
  setting: Redacted.Redacted
): Effect.fn.Return<Server, SmtpSettingsInvalid> {
  const text = Redacted.value(setting)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== "smtps:" && url.protocol !== "smtp:") || url.hostname === "")
    return yield* invalid("the URL is not like smtps://user:password@host:465")
  if (url.search !== "" || url.hash !== "" || !/^\/?$/.test(url.pathname))
    return yield* invalid("the URL says more than user, password, host and port")
  const [user, pass] = yield* Effect.try({
    try: () => [decodeURIComponent(url.username), decodeURIComponent(url.password)] as const,
    catch: () => new SmtpSettingsInvalid({ reason: "user or password are not percent-encoded" })
  })
  const secure = url.protocol === "smtps:"
  return {
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (secure ? 465 : 587) : Number(url.port),
    auth: user === "" ? undefined : { user, pass },
    // Servers quote what they do not like, and SASL sends these three.
    secrets: [
      pass,
      Buffer.from(pass).toString("base64"),
      Buffer.from(`\u0000${user}\u0000${pass}`).toString("base64")
    ].map((secret) => Redacted.make(secret))
  }
})

const dkimOf = Effect.fnUntraced(function* (dkim: NonNullable<SmtpSettings["dkim"]>) {
  const privateKey = Redacted.value(dkim.privateKey)
  const key = yield* Effect.try({
    try: () => createPrivateKey(privateKey),
    catch: () => new SmtpSettingsInvalid({ reason: "the DKIM key is not a private key in PEM" })
  })
  if (key.asymmetricKeyType !== "rsa") return yield* invalid("the DKIM key is not an RSA key")
  return { domainName: dkim.domain, keySelector: dkim.selector, privateKey }
})

/** Hands a socket over when it is connected; one that takes too long is closed. */
const dialled =
  (dial: NonNullable<SmtpSettings["dial"]>, host: string, port: number, timeout: number) =>
  (_options: unknown, callback: (error: Error | null, opened?: { readonly connection: Socket }) => void): void => {
    const socket = dial(host, port)
    const fail = (error: Error) => {
      socket.destroy()
      callback(error)
    }
    const late = () => fail(Object.assign(new Error("the connection took too long"), { code: "ETIMEDOUT" }))
    socket.setTimeout(timeout, late)
    socket.once("error", fail)
    socket.once("connect", () => {
      socket.removeListener("error", fail)
      socket.removeListener("timeout", late)
      callback(null, { connection: socket })
    })
  }

/** Servers close idle connections, some after less than a minute: ours are gone before. */
const idleTimeout = 20_000

export const make = Effect.fnUntraced(function* (
  settings: SmtpSettings
): Effect.fn.Return<ChannelProvider<"email">, SmtpSettingsInvalid, Scope.Scope> {
  const { auth, host, port, secrets, secure } = yield* serverOf(settings.url)
  const from = emailAddressOf(settings.from)
  if (from === undefined || !URL.canParse(`http://${domainOf(from)}`))
    return yield* invalid("from is not one email address")
  const dkim = settings.dkim === undefined ? undefined : yield* dkimOf(settings.dkim)
  const limit = Duration.fromInputUnsafe(settings.timeout ?? "15 seconds")
  const timeout = Duration.toMillis(limit)
  const connections = settings.connections ?? 5
  const startTls = settings.startTls ?? "required"

  const transport = yield* Effect.acquireRelease(
    Effect.sync(() =>
      createTransport({
        pool: true,
        host,
        port,
        secure,
        ...(settings.dial === undefined ? {} : { getSocket: dialled(settings.dial, host, port, timeout) }),
        requireTLS: startTls === "required",
        ignoreTLS: startTls === "never",
        tls: { minVersion: "TLSv1.2", ...(settings.ca === undefined ? {} : { ca: settings.ca }) },
        ...(auth === undefined ? {} : { auth }),
        ...(dkim === undefined ? {} : { dkim }),
        maxConnections: connections,
        maxRequeues: 0,
        idleTimeout,
        connectionTimeout: timeout,
        greetingTimeout: timeout,
        // Silence of an idle connection too; a try has its own limit.
        socketTimeout: timeout + idleTimeout,
        dnsTimeout: timeout,
        // A server that never closes its side keeps nothing of ours open.
        socketCloseTimeout: 1_000,
        maxResponseSize: 65_536,
        disableFileAccess: true,
        disableUrlAccess: true
      })
    ),
    (made) => Effect.sync(() => made.close({ force: true }))
  )

  const sendOne = ({ correlationId, deliveryId, message }: Outgoing<"email">): Effect.Effect<SendOutcome> => {
    const email = prepare(message, deliveryId, from)
    if (email._tag === "Failed") return Effect.succeed(email)
    return Effect.tryPromise({
      try: (signal) =>
        transport.sendMail({
          from,
          to: email.to,
          ...(email.replyTo === undefined ? {} : { replyTo: email.replyTo }),
          subject: email.subject,
          text: message.text,
          ...(message.html === undefined ? {} : { html: message.html }),
          messageId: email.messageId,
          headers: { ...email.headers, ...CorrelationId.headersOf(correlationId) },
          signal
        }),
      catch: (cause) => new SmtpError({ cause })
    }).pipe(
      Effect.map((): SendOutcome => ({ _tag: "Sent", providerMessageId: email.messageId })),
      Effect.catchTag("SmtpError", ({ cause }) => Effect.succeed(presentable(failureOf(cause), secrets))),
      Effect.timeoutOrElse({ duration: limit, orElse: () => Effect.succeed(timedOut()) })
    )
  }

  return {
    id: "smtp",
    channel: "email",
    maxBatch: 1,
    concurrency: connections,
    rate: settings.rate,
    accepts: () => true,
    send: Effect.fn("SmtpProvider.send")((batch: ReadonlyArray<Outgoing<"email">>) =>
      Effect.forEach(batch, sendOne, { concurrency: "unbounded" })
    )
  }
})
