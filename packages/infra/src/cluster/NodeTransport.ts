/**
 * The sockets between nodes: effect/cluster's runners, and the frames from mailboxes to gateways.
 *
 * **Details**
 *
 * `noDelay` on both sides: with Nagle's algorithm the tails were 43 ms. Pings both ways find a frozen peer.
 *
 * **Gotchas**
 *
 * With the stock client a caller hung for ever in 5 of 66 kills of its peer: a write to a destroyed `net.Socket` answers
 * false and then no `drain` comes. Here a destroyed socket answers true; the reader finds out and the call fails.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Duration, Effect, Layer, Schedule } from "effect"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import { RpcClient, RpcSerialization } from "effect/rpc"
import * as Socket from "effect/socket/Socket"
import * as Net from "node:net"

/** How long a connection may take to open. */
const openTimeout = Duration.seconds(1)

/** A peer that is silent for longer than both together is dead. */
const pingInterval = Duration.seconds(1)
const pingTimeout = Duration.seconds(2)

/**
 * How often a lost connection is tried again. The stock policy grows to 5 s and never shrinks, also not after months without
 * a failure: nodes would find each other seconds after the network has healed.
 */
const retryPolicy = Schedule.spaced("250 millis").pipe(Schedule.jittered)

type Written = (error?: Error | null) => void

/** See the gotcha above. */
class PeerSocket extends Net.Socket {
  override write(chunk: Uint8Array | string, encoding?: BufferEncoding | Written, written?: Written): boolean {
    if (this.destroyed) return true
    return typeof encoding === "string" ? super.write(chunk, encoding, written) : super.write(chunk, encoding)
  }
}

const openSocket = ({ host, port }: RunnerAddress) =>
  Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new PeerSocket()),
      (peer) => Effect.sync(() => peer.destroy())
    )
    // effect adds a listener of each kind for each write that waits.
    socket.setMaxListeners(0)
    return yield* Effect.callback<Net.Socket, Socket.SocketError>((resume) => {
      socket.once("connect", () => resume(Effect.succeed(socket)))
      socket.on("error", (cause) =>
        resume(Effect.fail(new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })))
      )
      socket.connect({ host, port, noDelay: true })
    })
  })

/** A client protocol to one node; it connects again by itself, and calls fail while it cannot. */
export const makeClientProtocol = Effect.fnUntraced(function* (address: RunnerAddress) {
  const socket = yield* NodeSocket.fromDuplex(openSocket(address), { openTimeout })
  return yield* RpcClient.makeProtocolSocket({ pingInterval, pingTimeout, retryPolicy }).pipe(
    Effect.provideService(Socket.Socket, socket)
  )
})

/** How runners reach one another. */
export const layerClientProtocol: Layer.Layer<Runners.RpcClientProtocol, never, RpcSerialization.RpcSerialization> =
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.gen(function* () {
      const serialization = yield* RpcSerialization.RpcSerialization
      return {
        codecFor: serialization.codecFor,
        make: (address) =>
          Effect.provideService(makeClientProtocol(address), RpcSerialization.RpcSerialization, serialization)
      }
    })
  )

/** Listens for other nodes. */
export const layerServer = (options: { readonly host: string; readonly port: number }) =>
  NodeSocketServer.layer({ host: options.host, port: options.port, noDelay: true })
