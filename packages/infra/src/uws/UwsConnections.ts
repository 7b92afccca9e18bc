/**
 * What is open on one server: requests that are being answered and web sockets. Keeps their deadlines and ends them
 * when the server stops.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

/** A request that is being answered. */
export interface OpenRequest {
  /** Called about once a second with the clock's milliseconds. */
  readonly check: (now: number) => void
}

const sweepInterval = Duration.seconds(1)

export class UwsConnections {
  /** True once the server stops: answers then close their connection. */
  draining = false
  readonly requests = new Set<OpenRequest>()
  /** Closes the web sockets of one route; called when the server stops. */
  readonly routes = new Set<() => void>()
  readonly clock: Clock.Clock
  /** Logs what a native callback threw: an exception that leaves one ends the process. */
  readonly report: (what: string, cause: unknown) => void
  private readonly idle = Latch.makeUnsafe(true)

  constructor(clock: Clock.Clock, report: (what: string, cause: unknown) => void) {
    this.clock = clock
    this.report = report
  }

  /** The registry, with the fiber that checks deadlines until the scope closes. */
  static readonly make: Effect.Effect<UwsConnections, never, Scope.Scope> = Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<Scope.Scope>())
    const connections = new UwsConnections(yield* Clock.Clock, (what, cause) => {
      run(Effect.logError(`${what} failed`, cause))
    })
    yield* Effect.sleep(sweepInterval).pipe(
      Effect.andThen(Effect.sync(() => connections.sweep())),
      Effect.forever,
      Effect.forkScoped
    )
    return connections
  })

  add(request: OpenRequest): void {
    this.requests.add(request)
    this.idle.closeUnsafe()
  }

  remove(request: OpenRequest): void {
    if (this.requests.delete(request) && this.requests.size === 0) this.idle.openUnsafe()
  }

  /** Tells every web socket that the server goes away and waits for the requests, at most `grace`. */
  drain(grace: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.draining = true
      for (const close of this.routes) close()
      return Effect.timeoutOrElse(this.idle.await, { duration: grace, orElse: () => Effect.void })
    })
  }

  private sweep(): void {
    const now = this.clock.currentTimeMillisUnsafe()
    for (const request of this.requests) {
      try {
        request.check(now)
      } catch (cause) {
        this.remove(request)
        this.report("The check of a request's time limits", cause)
      }
    }
  }
}
