/**
 * Logs go to stderr, so that stdout is the command's answer: for people on a terminal, one JSON object in a line elsewhere.
 */
import { Effect, Layer, Logger, Option, References } from "effect"
import { GlobalFlag } from "effect/cli"
import process from "node:process"
import { ServerConfig } from "../layers/ServerConfig.ts"

const layerLogger = Layer.unwrap(
  Effect.sync(() =>
    Logger.layer([
      process.stderr.isTTY ? Logger.consolePretty({ colors: true }) : Logger.withConsoleError(Logger.formatJson)
    ])
  )
)

/** `--log-level` wins over the configuration. */
const layerLevel = Layer.unwrap(
  Effect.gen(function* () {
    const flag = yield* GlobalFlag.LogLevel
    const { logLevel } = yield* ServerConfig
    return Layer.succeed(
      References.MinimumLogLevel,
      Option.getOrElse(flag, () => logLevel)
    )
  })
)

export const layer = Layer.mergeAll(layerLogger, layerLevel, Layer.succeed(References.LogToStderr, true))
