/**
 * One POST to a URL that a stranger chose.
 *
 * **Details**
 *
 * `limit` holds over everything: looking up, connecting, TLS, sending, the answer. No redirect is followed, and an endpoint that
 * answers in drops, without end or with too much gets no more than the limit and 16 KB. The status is the answer: when what
 * should come after it does not, the receiver has said all the same that he has it, and the connection is closed.
 *
 * Web Push uses it too: a browser's subscription is a URL that a stranger chose.
 */
import { Context, Duration, Effect, Exit, Layer, Schema } from "effect"
import type { Scope } from "effect"
import { request as httpRequest } from "node:http"
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http"
import { request as httpsRequest } from "node:https"
import * as GuardedAgents from "./GuardedAgents.ts"
import { systemResolve } from "./NameResolution.ts"
import type { Resolve } from "./NameResolution.ts"
import * as OutboundUrl from "./OutboundUrl.ts"
import type { UrlRefused } from "./OutboundUrl.ts"
import * as PublicAddresses from "./PublicAddresses.ts"

/** No answer came; whether the receiver took the request is not known, unless he could not be reached at all. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", {
  /** `address_refused`: nothing was sent, and nothing ever will be to this host as long as it leads where it does. */
  code: Schema.Literals(["address_refused", "dns", "connection", "tls", "malformed", "timeout"]),
  /** The code of Node's error, for people; never an address. */
  reason: Schema.String
}) {}

export interface OutboundSettings {
  /** Whether http is good enough: for development and tests. */
  readonly allowInsecure: boolean
  /** Networks in CIDR notation that may be called though they are not public. */
  readonly allowedNetworks: ReadonlyArray<string>
  /** For one request, over everything. */
  readonly limit: Duration.Duration
  /** PEM; authorities to trust besides those that Node brings. */
  readonly ca?: string
  readonly resolve?: Resolve
}

export const defaults: OutboundSettings = { allowInsecure: false, allowedNetworks: [], limit: Duration.seconds(15) }

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

/** Of the limit, for what comes after the status and the headers. */
const drainLimit = Duration.seconds(1)
const maxAnswerBytes = 16_384

const tlsCode = /^(ERR_(TLS|SSL)_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO$)/
const dnsCode = /^E(NOTFOUND|NODATA|SERVFAIL|REFUSED|FORMERR|BADRESP|BADNAME|TIMEOUT|CANCELLED|NONAME|AI_AGAIN)$/

const noAnswer = (cause: unknown): NoAnswer => {
  const reason = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "unknown"
  if (reason === GuardedAgents.refusedCode) return new NoAnswer({ code: "address_refused", reason })
  if (reason.startsWith("HPE_")) return new NoAnswer({ code: "malformed", reason })
  if (tlsCode.test(reason)) return new NoAnswer({ code: "tls", reason })
  return new NoAnswer({ code: dnsCode.test(reason) ? "dns" : "connection", reason })
}

/** Until the answer's headers are there. The call's errors are heard for as long as it lives. */
const headOf = (call: ClientRequest, body: Uint8Array): Effect.Effect<IncomingMessage, NoAnswer> =>
  Effect.callback((resume) => {
    call.on("error", (cause) => resume(Effect.fail(noAnswer(cause))))
    call.on("response", (response) => resume(Effect.succeed(response)))
    // A server that answers with another protocol has not taken the request.
    call.on("upgrade", (_response, socket) => {
      socket.destroy()
      resume(Effect.fail(new NoAnswer({ code: "malformed", reason: "UPGRADE" })))
    })
    call.end(body)
  })

/** Throws the body away, so that the connection is free again; answers when there is nothing more to wait for. */
const drain = (response: IncomingMessage): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void)
    let bytes = 0
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxAnswerBytes) done()
    })
    // The agent takes the connection back a tick after the end.
    response.on("end", () => setImmediate(done))
    response.on("error", done)
  })

export class OutboundPost extends Context.Service<
  OutboundPost,
  {
    /** Judges a URL as it is written; nothing is looked up. */
    readonly check: (url: string) => Effect.Effect<URL, UrlRefused>
    readonly post: (request: {
      readonly url: string
      readonly headers: OutgoingHttpHeaders
      readonly body: Uint8Array
    }) => Effect.Effect<Answer, UrlRefused | NoAnswer>
    /** For clients that bring their own requests; with `check`, and with a limit of their own. */
    readonly agents: GuardedAgents.GuardedAgents
  }
>()("@beckon/infra/webhook/OutboundPost") {
  static readonly layer = (
    settings: Partial<OutboundSettings> = {}
  ): Layer.Layer<OutboundPost, PublicAddresses.NetworkInvalid> =>
    Layer.effect(OutboundPost, make({ ...defaults, ...settings }))
}

const make = Effect.fnUntraced(function* (
  settings: OutboundSettings
): Effect.fn.Return<OutboundPost["Service"], PublicAddresses.NetworkInvalid, Scope.Scope> {
  const addresses = yield* PublicAddresses.make(settings.allowedNetworks)
  const rules: OutboundUrl.UrlRules = { addresses, allowInsecure: settings.allowInsecure }
  const agents = yield* GuardedAgents.make({ addresses, resolve: settings.resolve ?? systemResolve(), ca: settings.ca })
  const headLimit = Duration.max(Duration.subtract(settings.limit, drainLimit), Duration.times(settings.limit, 0.5))

  const check = (url: string) => Effect.fromResult(OutboundUrl.parse(url, rules))

  const open = (url: URL, headers: OutgoingHttpHeaders) =>
    Effect.sync(() =>
      url.protocol === "https:"
        ? httpsRequest(url, { method: "POST", headers, agent: agents.https })
        : httpRequest(url, { method: "POST", headers, agent: agents.http })
    )

  return {
    check,
    agents,
    post: Effect.fn("OutboundPost.post")(function* ({ body, headers, url }) {
      const target = yield* check(url)
      return yield* Effect.acquireUseRelease(
        open(target, { ...headers, "content-length": body.length }),
        (call) =>
          Effect.gen(function* () {
            const response = yield* Effect.timeoutOrElse(headOf(call, body), {
              duration: headLimit,
              orElse: () => Effect.fail(new NoAnswer({ code: "timeout", reason: "ETIMEDOUT" }))
            })
            yield* Effect.timeoutOption(drain(response), drainLimit)
            return { status: response.statusCode ?? 0, headers: response.headers, whole: response.complete }
          }),
        (call, exit) => Effect.sync(() => (Exit.isSuccess(exit) && exit.value.whole ? undefined : call.destroy()))
      )
    })
  }
})
