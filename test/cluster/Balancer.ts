/**
 * A load balancer as small as it can be: TCP, round robin, no sticky sessions; nodes that are not ready are left out, unless
 * none is.
 */
import { Effect, Schedule } from "effect"
import type { Scope } from "effect"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { serve, splice } from "./TcpProxy.ts"

export interface Backend {
  readonly port: number
  /** False keeps new connections away from it. */
  readonly isOffered: () => boolean
}

const probe = (port: number): Effect.Effect<boolean> =>
  Effect.tryPromise((signal) => fetch(`http://127.0.0.1:${port}/health/ready`, { signal })).pipe(
    Effect.flatMap((answer) =>
      Effect.as(
        Effect.promise(() => answer.text()),
        answer.status === 200
      )
    ),
    Effect.timeout("1 second"),
    Effect.catchCause(() => Effect.succeed(false))
  )

/** How long a backend may take to accept, in milliseconds. */
const connectTimeout = 500

export const make = (port: number, backends: () => ReadonlyArray<Backend>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ready = new Map<number, boolean>()
    const check = Effect.suspend(() =>
      Effect.forEach(
        backends(),
        (backend) => Effect.map(probe(backend.port), (isReady) => void ready.set(backend.port, isReady)),
        { concurrency: "unbounded", discard: true }
      )
    )
    yield* check
    yield* Effect.forkScoped(Effect.repeat(check, Schedule.spaced("400 millis")))
    let turn = 0

    const attempt = (client: Socket, candidates: ReadonlyArray<Backend>): void => {
      const [backend, ...rest] = candidates
      if (backend === undefined || client.destroyed) return void client.destroy()
      const server = connect({ host: "127.0.0.1", port: backend.port, noDelay: true })
      const timer = setTimeout(() => server.destroy(new Error("too slow")), connectTimeout)
      server.once("error", () => {
        clearTimeout(timer)
        if (!client.destroyed) attempt(client, rest)
      })
      server.once("connect", () => {
        clearTimeout(timer)
        server.removeAllListeners("error")
        splice(client, server)
      })
    }

    yield* serve({ host: "127.0.0.1", port }, (client) => {
      const offered = backends().filter((backend) => backend.isOffered())
      const healthy = offered.filter((backend) => ready.get(backend.port) !== false)
      const candidates = healthy.length > 0 ? healthy : offered
      turn += 1
      const at = turn % Math.max(1, candidates.length)
      attempt(client, [...candidates.slice(at), ...candidates.slice(0, at)])
    })
  })
