/**
 * `beckon serve`: the server, from its first line to its last.
 *
 * **Details**
 *
 * The first signal drains: sockets are closed with 4000 so that clients come back, requests in flight finish, the database
 * is closed. What takes longer than `DRAIN_TIMEOUT` is left behind. A second signal does not wait at all (`Signals`).
 */
import { Console, Context, Duration, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { Command } from "effect/cli"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import { Gateway } from "../gateway/Gateway.ts"
import * as Secrets from "../layers/Secrets.ts"
import * as Server from "../layers/Server.ts"
import { ServerConfig } from "../layers/ServerConfig.ts"
import type { ServerConfigShape } from "../layers/ServerConfig.ts"
import * as Storage from "../layers/Storage.ts"
import { failed } from "./FailureLine.ts"
import * as Logging from "./Logging.ts"
import * as Settings from "./Settings.ts"
import { Signals } from "./Signals.ts"

const app = Server.layer.pipe(Layer.provide(Storage.layer), Layer.provideMerge(Logging.layer))

/** Binds the port and frees it again: a busy one is told before a database is made, which takes seconds. */
const checkPort = ({ host, port }: ServerConfigShape) =>
  port === 0 ? Effect.void : Effect.scoped(Effect.flatMap(UwsServer.make({ host, port }), (server) => server.listen))

const everywhere: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "[::1]", localhost: "127.0.0.1" }

/** Where a browser on this machine reaches the server. */
export const urlOf = (host: string, port: number): string =>
  `http://${everywhere[host] ?? (host.includes(":") ? `[${host}]` : host)}:${port}`

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** How to begin is told where the token would be accepted. */
export const readyLine = (
  config: Pick<ServerConfigShape, "dataDir" | "host" | "jwtSecret" | "ownTokens">,
  port: number
): string => {
  const ready = `Beckon is ready at ${urlOf(config.host, port)}`
  if (!config.ownTokens) return ready
  const own = Option.isNone(config.jwtSecret) && config.dataDir !== ".beckon"
  const dataDir = own ? ` --data-dir ${shellWord(config.dataDir)}` : ""
  return `${ready} — get a token with: npx --yes pnpm beckon token alice${dataDir}`
}

/** Gives up waiting after `limit`. */
export const within = Effect.fnUntraced(function* (stop: Effect.Effect<void>, limit: Duration.Duration) {
  const stopping = yield* Effect.forkDetach(stop)
  yield* Effect.timeoutOrElse(Fiber.join(stopping), {
    duration: limit,
    orElse: () =>
      Effect.fail(failed(`Stopping took longer than ${Duration.format(limit)} (DRAIN_TIMEOUT): ended anyway`))
  })
})

const signalled = Signals.use(({ first }) => first).pipe(
  Effect.andThen(
    Console.error("Stopping: draining connections and closing the database (Ctrl-C again stops at once) …")
  )
)

/** Everything that runs, in `scope`; tells where it can be reached. */
const start = Effect.fnUntraced(function* (config: ServerConfigShape, scope: Scope.Scope) {
  yield* checkPort(config)
  if (Option.isSome(config.jwtSecret)) yield* Effect.scoped(Layer.build(Secrets.layerTokens))
  if (Option.isSome(config.keys) || Option.isSome(config.deviceTokenSecret))
    yield* Effect.scoped(Layer.build(Secrets.layerCipher))
  const services = yield* Layer.buildWithScope(app, scope)
  const port = yield* Context.get(services, UwsServer).port
  yield* Console.log(readyLine(config, port ?? config.port))
  return Context.get(services, Gateway)
})

/** The first signal ends it, whether it has started or not; so does a start that fails. */
export const serve = Effect.gen(function* () {
  const config = yield* ServerConfig
  const scope = yield* Scope.make()
  // Detached, so that a start or a stop that hangs cannot hold the fiber that counts the time.
  const starting = yield* Effect.forkDetach(start(config, scope))
  const stop = Effect.gen(function* () {
    yield* Fiber.interrupt(starting)
    const started = starting.pollUnsafe()
    if (started !== undefined && Exit.isSuccess(started)) yield* started.value.drain
    yield* Scope.close(scope, Exit.void)
  })
  yield* Effect.raceFirst(Effect.andThen(Fiber.join(starting), Effect.never), signalled).pipe(
    Effect.onError(() => Effect.ignore(within(stop, config.drainTimeout)))
  )
  yield* within(stop, config.drainTimeout)
  yield* Console.error("Stopped.")
})

export const command = Command.make(
  "serve",
  { port: Settings.portFlag, host: Settings.hostFlag, dataDir: Settings.dataDirFlag },
  (flags) => Effect.provide(serve, Settings.layer(flags))
).pipe(
  Command.withDescription(
    "Run the server: HTTP, WebSocket and pages on one port. The last line on stdout says where. Exit codes: 0 stopped by a signal, 1 failed, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Run the server"),
  Command.withExamples([
    { command: "beckon serve", description: "On port 8080, data in .beckon" },
    { command: "beckon serve --port 0 --data-dir /var/lib/beckon", description: "On a free port, data elsewhere" }
  ])
)
