/**
 * One connection: a WebSocket that carries effect/rpc messages as JSON text, with its heartbeat.
 *
 * **Details**
 *
 * A link lives in a scope and is used once; coming back means a new link. When it ends, what had arrived is worked off first,
 * then calls in flight fail with `RpcClientError`, then `closed` completes. Chunks are not acknowledged: the server does not
 * wait for that.
 */
import { Deferred, Effect, Exit, Latch, Queue, Schema } from "effect"
import type { Cause, Duration, Scope } from "effect"
import { RpcClient, RpcClientError } from "effect/rpc"
import type { RpcMessage, RpcSerialization } from "effect/rpc"
import type { CloseReason } from "@beckon/domain/CloseReason"
import * as Close from "@beckon/domain/CloseReason"
import { subprotocol } from "@beckon/domain/InboxRpcs"
import { LinkFailed } from "./ClientError.ts"
import { ClientRpcs } from "./InboxEvent.ts"

/** The part of the standard WebSocket that is used; browsers, Node 22, Deno and `ws` have it. */
export interface WebSocketLike {
  send(data: string): void
  close(code?: number, reason?: string): void
  addEventListener(type: "open" | "error", listener: () => void): void
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string }) => void): void
}

export type WebSocketConstructor = new (url: string, protocols: Array<string>) => WebSocketLike

export interface LinkOptions {
  readonly url: string
  readonly token: string
  readonly WebSocket: WebSocketConstructor
  readonly openTimeout: Duration.Input
  /** A ping after every `interval`; no frame of any kind for `timeout` after it means a dead link. */
  readonly ping: { readonly interval: Duration.Input; readonly timeout: Duration.Input }
  /** Gets the messages of topics, which are no messages of effect/rpc, in order with everything else. */
  readonly onTopic: (frame: unknown) => void
}

export type Rpcs = RpcClient.FromGroup<typeof ClientRpcs, RpcClientError.RpcClientError>

export interface Link {
  readonly rpc: Rpcs
  readonly isAlive: () => boolean
  /** Ends the link at once, without waiting for the peer. */
  readonly close: (reason: CloseReason) => void
  /** Completes when everything that had arrived is worked off. */
  readonly closed: Effect.Effect<CloseReason>
}

/** A normal closure (RFC 6455 section 7.4.1). */
export const done: CloseReason = { code: 1000, reason: "done" }

const malformed: CloseReason = { code: 4007, reason: "malformed message from the server" }

const lost = (cause: unknown) =>
  new RpcClientError.RpcClientError({
    reason: new RpcClientError.RpcClientDefect({ message: "connection lost", cause })
  })

/** That of `RpcSerialization.json`, which cannot be imported without the binary format: a tenth of a browser's bundle. */
const codecFor = Schema.toCodecJson as RpcSerialization.CodecFor

interface TopicText {
  readonly _tag: "Topic" | "TopicEnd"
}

type Incoming = RpcMessage.FromServerEncoded | TopicText

const isTopic = (message: Incoming): message is TopicText => message._tag === "Topic" || message._tag === "TopicEnd"

/** One message or an array of them. */
const parse = (text: string): ReadonlyArray<Incoming> => {
  const value: unknown = JSON.parse(text)
  return (Array.isArray(value) ? value : [value]) as ReadonlyArray<Incoming>
}

const textDecoder = new TextDecoder()

const textOf = (data: unknown): string => (data instanceof ArrayBuffer ? textDecoder.decode(data) : String(data))

/** Request ids are numbers here; a server may have made text of them. */
const withNumericId = (message: RpcMessage.FromServerEncoded): RpcMessage.FromServerEncoded =>
  "requestId" in message && typeof message.requestId === "string"
    ? { ...message, requestId: Number(message.requestId) }
    : message

/** Connects; fails when the socket closes before it opens or does not open in time. */
export const open: (options: LinkOptions) => Effect.Effect<Link, LinkFailed, Scope.Scope> = Effect.fnUntraced(
  function* (options: LinkOptions) {
    const incoming = yield* Queue.unbounded<string, Cause.Done>()
    const opened = Deferred.makeUnsafe<void, LinkFailed>()
    const closed = Deferred.makeUnsafe<CloseReason>()
    const life = Latch.makeUnsafe()
    let ended: CloseReason | undefined

    const socket = yield* Effect.try({
      try: () => new options.WebSocket(options.url, [subprotocol, `bearer.${options.token}`]),
      catch: (cause) => new LinkFailed({ message: "the WebSocket could not be made", cause })
    })
    const end = (reason: CloseReason) => {
      if (ended !== undefined) return
      ended = reason
      Queue.endUnsafe(incoming)
      const message = `the connection did not open: ${reason.reason || reason.code}`
      Deferred.doneUnsafe(opened, Exit.fail(new LinkFailed({ message, code: reason.code })))
    }
    const close = (reason: CloseReason) => {
      end(reason)
      // A browser's close() only throws for codes that no program may use.
      socket.close(reason.code, reason.reason)
    }
    socket.addEventListener("open", () => Deferred.doneUnsafe(opened, Exit.void))
    socket.addEventListener("message", (event) => {
      if (ended !== undefined) return
      life.openUnsafe()
      Queue.offerUnsafe(incoming, textOf(event.data))
    })
    socket.addEventListener("error", () => end({ code: 1006, reason: "connection failed" }))
    socket.addEventListener("close", (event) => end({ code: event.code, reason: event.reason }))

    const write = (message: RpcMessage.FromClientEncoded): Effect.Effect<void, RpcClientError.RpcClientError> =>
      Effect.suspend(() => {
        const text = JSON.stringify(message)
        return Effect.try({ try: () => socket.send(text), catch: lost })
      })

    yield* Effect.addFinalizer(() => Effect.sync(() => close(done)))
    yield* Deferred.await(opened).pipe(
      Effect.timeoutOrElse({
        duration: options.openTimeout,
        orElse: () => Effect.fail(new LinkFailed({ message: "the connection did not open in time" }))
      })
    )

    let client = 0
    let respond: (client: number, message: RpcMessage.FromServerEncoded) => Effect.Effect<void> = () => Effect.void
    const protocol = yield* RpcClient.Protocol.make((answer) =>
      Effect.sync(() => {
        respond = answer
        return {
          send: (clientId: number, message: RpcMessage.FromClientEncoded) =>
            Effect.suspend(() => {
              client = clientId
              if (ended === undefined) return write(message)
              return message._tag === "Request" ? Effect.fail(lost(ended)) : Effect.void
            }),
          supportsAck: false,
          supportsTransferables: false,
          codecFor
        }
      })
    )
    const rpc = yield* RpcClient.make(ClientRpcs, { disableTracing: true }).pipe(
      Effect.provideService(RpcClient.Protocol, protocol)
    )

    const receive = Effect.fnUntraced(function* (text: string) {
      const messages = yield* Effect.try({ try: () => parse(text), catch: () => malformed })
      for (const message of messages) {
        if (isTopic(message)) options.onTopic(message)
        else if (message._tag !== "Pong") yield* respond(client, withNumericId(message))
      }
    })
    const read = Queue.take(incoming).pipe(Effect.flatMap(receive), Effect.forever)
    yield* read.pipe(
      Effect.catchCause(() => Effect.sync(() => close(malformed))),
      Effect.andThen(Effect.suspend(() => respond(client, { _tag: "ClientProtocolError", error: lost(ended) }))),
      Effect.andThen(Effect.suspend(() => Deferred.succeed(closed, ended ?? done))),
      Effect.forkScoped
    )

    const heartbeat = Effect.gen(function* () {
      yield* Effect.sleep(options.ping.interval)
      life.closeUnsafe()
      yield* Effect.ignore(write({ _tag: "Ping" }))
      yield* life.await.pipe(
        Effect.timeoutOrElse({
          duration: options.ping.timeout,
          orElse: () => Effect.sync(() => close(Close.pingTimeout))
        })
      )
    })
    yield* Effect.forkScoped(Effect.forever(heartbeat))

    // Runs before the finalizers above: calls in flight learn of the end before their client is shut down.
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        Effect.sync(() => close(done)),
        Deferred.await(closed)
      )
    )
    return { rpc, isAlive: () => ended === undefined, close, closed: Deferred.await(closed) }
  }
)
