/**
 * `beckon tail`: a user's notifications as they come, over the socket, until Ctrl-C.
 *
 * **Details**
 *
 * Begins with the recent unread ones. It only watches: nothing is acknowledged or read by it. After a break it comes back by
 * itself and misses nothing.
 */
import { Console, Effect, Stream, SubscriptionRef } from "effect"
import { Command } from "effect/cli"
import { InboxClient } from "@beckon/client/InboxClient"
import type { InboxState, Notification } from "@beckon/client/InboxClient"
import type { ServerConfig } from "../layers/ServerConfig.ts"
import * as ApiCalls from "./ApiCalls.ts"
import { failed } from "./FailureLine.ts"
import * as Settings from "./Settings.ts"
import { Signals } from "./Signals.ts"
import * as Text from "./Text.ts"
import * as Tokens from "./Tokens.ts"

const show = (one: Notification): string =>
  Text.plain(`${Text.time(one.createdAt)}  ${one.type}  ${one.title}: ${one.message}`)

const told = (url: string, { lastError, status }: InboxState): string | undefined => {
  if (status === "live") return `Following at ${url} (Ctrl-C ends)`
  return status === "offline"
    ? `Not connected to ${url}, trying again: ${lastError?.message ?? "the link broke"}`
    : undefined
}

const follow = Effect.fnUntraced(function* (url: string, caller: Tokens.Caller, write: (one: Notification) => string) {
  const config = yield* Effect.context<ServerConfig | Effect.Services<ReturnType<typeof Tokens.forCaller>>>()
  const inbox = yield* InboxClient.make({
    url,
    token: Effect.provideContext(Tokens.forCaller(caller), config),
    acknowledge: "manual"
  })
  yield* SubscriptionRef.changes(inbox.state).pipe(
    Stream.map((state) => told(url, state)),
    Stream.filter((line) => line !== undefined),
    Stream.changes,
    Stream.runForEach((line) => Console.error(line)),
    Effect.forkScoped
  )
  yield* inbox.frames.pipe(
    Stream.runForEach((event) =>
      event._tag === "Notification" ? Console.log(write(event.notification)) : Effect.void
    ),
    Effect.mapError(({ message }) => failed(`The server ended it: ${message}`))
  )
}, Effect.scoped)

export const command = Command.make(
  "tail",
  {
    user: Tokens.userArgument,
    url: ApiCalls.urlFlag,
    token: Tokens.tokenFlag,
    tenant: Tokens.tenantFlag,
    dataDir: Settings.dataDirFlag,
    json: Settings.jsonFlag
  },
  ({ dataDir, json, tenant, token, url, user }) =>
    Effect.gen(function* () {
      const { first } = yield* Signals
      const at = yield* ApiCalls.urlOf(url)
      const caller = { token, tenant, user, role: "user" } as const
      yield* Effect.raceFirst(follow(at, caller, json ? JSON.stringify : show), first)
    }).pipe(Effect.provide(Settings.layer({ dataDir })))
).pipe(
  Command.withDescription(
    "Follow a user's notifications live, one line each, until Ctrl-C; with --json one JSON object in a line. Nothing is marked read. Exit codes: 0 ended by a signal, 1 refused by the server, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Follow a user's notifications live"),
  Command.withExamples([
    { command: "beckon tail alice", description: "Recent unread ones, then every new one" },
    { command: "beckon tail alice --json", description: "For programs: one JSON object in a line" }
  ])
)
