/**
 * The command line: `beckon <command>`.
 */
import { Command } from "effect/cli"
import * as DeadLetters from "./DeadLetters.ts"
import * as Deliveries from "./Deliveries.ts"
import * as InboxList from "./InboxList.ts"
import * as Keyring from "./Keyring.ts"
import * as Keys from "./Keys.ts"
import * as Migrate from "./Migrate.ts"
import * as Seed from "./Seed.ts"
import * as Send from "./Send.ts"
import * as Serve from "./Serve.ts"
import * as Tail from "./Tail.ts"
import * as Token from "./Token.ts"
import { version } from "./Version.ts"

export const beckon = Command.make("beckon").pipe(
  Command.withDescription("Realtime notifications: saved before pushed, in order, resumed without gap or repeat."),
  Command.withSubcommands([
    Serve.command,
    Migrate.command,
    Keyring.command,
    Seed.command,
    Token.command,
    Send.command,
    Tail.command,
    InboxList.command,
    Deliveries.command,
    DeadLetters.command,
    Keys.command
  ])
)

/** Runs one command line, without the name of the program. */
export const run = Command.runWith(beckon, { version })
