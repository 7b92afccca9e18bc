/**
 * How a command ends when it does not succeed: one line on stderr, and an exit code.
 */
import { Cause, Config, Exit, Schema, SchemaIssue } from "effect"
import { CliError } from "effect/cli"
import { SqlError } from "effect/sql/SqlError"
import { MigrationError } from "effect/sql/Migrator"
import { ListenFailed, PortInUse } from "@beckon/infra/uws/UwsServer"

/** 1: it failed. 2: the command line or a setting is not understood. */
export const exitCodes = { success: 0, failure: 1, usage: 2 } as const

/** A command that cannot do what it was asked for, told in one line. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  line: Schema.String,
  exitCode: Schema.Literals([1, 2])
}) {
  override get message(): string {
    return this.line
  }
}

export const failed = (line: string): CommandFailed => new CommandFailed({ line, exitCode: exitCodes.failure })

const oneLine = (text: string): string =>
  text
    .split("\n")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join(" ")

const isErrorLike = Schema.is(Schema.Struct({ message: Schema.String }))
const isCaused = Schema.is(Schema.Struct({ cause: Schema.Unknown }))
const isAggregate = Schema.is(Schema.Struct({ errors: Schema.Array(Schema.Unknown) }))

/** The message of the innermost error: what the system or the driver said. */
export const rootMessage = (error: unknown): string => {
  if (isAggregate(error) && error.errors.length > 0) return rootMessage(error.errors[0])
  const inner = isCaused(error) && error.cause !== undefined ? rootMessage(error.cause) : ""
  return inner !== "" ? inner : isErrorLike(error) ? error.message : typeof error === "string" ? error : ""
}

const address = (host: string, port: number): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const settingFault = ({ cause }: Config.ConfigError): string =>
  Schema.isSchemaError(cause)
    ? formatIssue(cause.issue)
        .issues.map(({ message, path }) => `${(path ?? []).map(String).join(".")}: ${message}`)
        .join("; ")
    : rootMessage(cause)

const describe = (error: unknown): string | undefined => {
  if (error instanceof PortInUse) {
    return `Port ${error.port} on ${error.host} is in use: end what listens there, or choose another port with --port or PORT`
  }
  if (error instanceof ListenFailed) {
    return `Cannot listen on ${address(error.host, error.port)}: ${rootMessage(error.cause)}`
  }
  if (error instanceof Config.ConfigError) return `A setting is not valid: ${settingFault(error)}`
  if (error instanceof SqlError) return `The database cannot be used: ${rootMessage(error.reason)}`
  if (error instanceof MigrationError) {
    const detail = rootMessage(error.cause)
    return `The database could not be migrated: ${error.message}${detail === "" ? "" : `: ${detail}`}`
  }
  return isErrorLike(error) ? error.message : undefined
}

/** What an error says in one line; for a defect, which is our own mistake, everything we know. */
export const line = (cause: Cause.Cause<unknown>): string => {
  const failure = cause.reasons.find(Cause.isFailReason)
  const text = failure === undefined ? undefined : describe(failure.error)
  return text === undefined ? Cause.pretty(cause) : oneLine(text)
}

const isShown = (error: unknown): boolean => CliError.isCliError(error) && error._tag === "ShowHelp"

const hasErrors = (error: unknown): boolean =>
  CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length > 0

/** Whether effect/cli has already told the user, with the help of the command. */
export const isTold = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && isShown(reason.error))

/** The exit code of a command; 130 when it was interrupted, as after Ctrl-C. */
export const exitCodeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return exitCodes.success
  if (Cause.hasInterruptsOnly(exit.cause)) return 130
  const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (failure instanceof CommandFailed) return failure.exitCode
  if (failure instanceof Config.ConfigError) return exitCodes.usage
  if (isShown(failure)) return hasErrors(failure) ? exitCodes.usage : exitCodes.success
  return exitCodes.failure
}
