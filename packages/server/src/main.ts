#!/usr/bin/env node
/**
 * The program. Everything that it does is a command of `cli/Beckon.ts`.
 */
import "effect/schema/SchemaJITCompiler/enable"
import { NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Layer, Runtime } from "effect"
import process from "node:process"
import * as Beckon from "./cli/Beckon.ts"
import * as FailureLine from "./cli/FailureLine.ts"
import { Signals } from "./cli/Signals.ts"

/** A reader that has enough, such as `head`, closes the pipe: that is no error of ours. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))

const main = Beckon.run(process.argv.slice(2)).pipe(
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) || FailureLine.isTold(cause) ? Effect.void : Console.error(FailureLine.line(cause))
  ),
  Effect.provide(Layer.merge(NodeServices.layer, Signals.layer))
)

// Signals are the commands' own business (`Signals`); the process ends with the main fiber, whatever else is still open.
Runtime.makeRunMain(({ fiber, teardown }) => {
  fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
})(main, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(FailureLine.exitCodeOf(exit))
})
