/**
 * `beckon dead-letters`: deliveries that nobody tries any more, and what is done about them.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import type { DeliveryChannel } from "@beckon/domain/Delivery"
import { DeliveryId } from "@beckon/domain/Delivery"
import * as ApiCalls from "./ApiCalls.ts"
import * as DeliveryRows from "./DeliveryRows.ts"
import * as FailureLine from "./FailureLine.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"

const path = "/api/v1/dead-letters"

const exitCodes = "Exit codes: 0 done, 1 failed, 2 invalid flags or settings."

const list = Command.make(
  "list",
  { channel: DeliveryRows.channelFlag, limit: DeliveryRows.limitFlag, ...DeliveryRows.callFlags },
  ({ channel, dataDir, json, limit, ...caller }) =>
    Effect.gen(function* () {
      const request = HttpClientRequest.get(path).pipe(
        HttpClientRequest.setUrlParams({
          limit: String(limit),
          ...Option.match(channel, { onNone: () => ({}), onSome: (given) => ({ channel: given }) })
        })
      )
      const body = yield* DeliveryRows.call(request, caller)
      yield* Console.log(json ? body : yield* DeliveryRows.showPage(body))
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(
    `List dead deliveries about which nothing was done yet, newest first; with --json the answer of the HTTP API. ${exitCodes}`
  ),
  Command.withShortDescription("List dead deliveries")
)

const show = Command.make(
  "show",
  { id: DeliveryRows.idArgument, ...DeliveryRows.callFlags },
  ({ dataDir, id, json, ...caller }) =>
    Effect.gen(function* () {
      const body = yield* DeliveryRows.call(HttpClientRequest.get(`${path}/${encodeURIComponent(id)}`), caller)
      yield* Console.log(json ? body : yield* DeliveryRows.showOne(body))
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(`Show one dead delivery with every try. ${exitCodes}`),
  Command.withShortDescription("Show one dead delivery")
)

const targetFlags = {
  ids: Argument.String("id").pipe(
    Argument.withDescription("Ids of dead deliveries, up to 500"),
    Argument.withSchema(DeliveryId),
    Argument.variadic({ min: 0, max: 500 })
  ),
  all: Flag.Boolean("all").pipe(Flag.withDescription("All of them, up to --limit"), Flag.withDefault(false)),
  channel: DeliveryRows.channelFlag,
  limit: Flag.Int("limit").pipe(
    Flag.withDescription("With --all: how many, 1 to 10000"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
    Flag.withDefault(1_000)
  ),
  ...DeliveryRows.callFlags
}

const misused = (line: string) => new FailureLine.CommandFailed({ line, exitCode: FailureLine.exitCodes.usage })

const bodyOf = (target: {
  readonly ids: ReadonlyArray<string>
  readonly all: boolean
  readonly channel: Option.Option<DeliveryChannel>
  readonly limit: number
}) => {
  if (target.all === target.ids.length > 0) return Effect.fail(misused("Give ids, or --all, and not both"))
  if (!target.all && Option.isSome(target.channel)) return Effect.fail(misused("--channel goes with --all"))
  return Effect.succeed(
    target.all
      ? { all: true, channel: Option.getOrUndefined(target.channel), limit: target.limit }
      : { ids: target.ids }
  )
}

const Replayed = Schema.fromJsonString(
  Schema.Struct({ data: Schema.Array(Schema.Struct({ id: Schema.String, replayed_as: Schema.String })) })
)
const decodeReplayed = Schema.decodeUnknownEffect(Replayed)

const replay = Command.make("replay", targetFlags, ({ all, channel, dataDir, ids, json, limit, ...caller }) =>
  Effect.gen(function* () {
    const target = yield* bodyOf({ all, channel, ids, limit })
    const request = HttpClientRequest.post(`${path}/replay`).pipe(HttpClientRequest.bodyJsonUnsafe(target))
    const body = yield* DeliveryRows.call(request, caller)
    const { data } = yield* Effect.mapError(decodeReplayed(body), ApiCalls.notUnderstood)
    yield* Console.log(json ? body : `Sent again: ${data.length}`)
  }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(
    `Send dead deliveries again, each as a new one. Those that were replayed or discarded before are passed over. ${exitCodes}`
  ),
  Command.withShortDescription("Send dead deliveries again"),
  Command.withExamples([
    { command: "beckon dead-letters replay --all --channel email", description: "After the mail server came back" }
  ])
)

const Discarded = Schema.fromJsonString(Schema.Struct({ data: Schema.Struct({ discarded: Schema.Int }) }))
const decodeDiscarded = Schema.decodeUnknownEffect(Discarded)

const discard = Command.make("discard", targetFlags, ({ all, channel, dataDir, ids, json, limit, ...caller }) =>
  Effect.gen(function* () {
    const target = yield* bodyOf({ all, channel, ids, limit })
    const request = HttpClientRequest.post(`${path}/discard`).pipe(HttpClientRequest.bodyJsonUnsafe(target))
    const body = yield* DeliveryRows.call(request, caller)
    const { data } = yield* Effect.mapError(decodeDiscarded(body), ApiCalls.notUnderstood)
    yield* Console.log(json ? body : `Discarded: ${data.discarded}`)
  }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(`Be done with dead deliveries: they leave the list and are never sent. ${exitCodes}`),
  Command.withShortDescription("Be done with dead deliveries")
)

export const command = Command.make("dead-letters").pipe(
  Command.withDescription(`Deliveries that nobody tries any more. ${exitCodes}`),
  Command.withShortDescription("Dead deliveries"),
  Command.withExamples([
    { command: "beckon dead-letters list", description: "The newest 20" },
    { command: "beckon dead-letters replay --all", description: "Sends up to 1,000 of them again" }
  ]),
  Command.withSubcommands([list, show, replay, discard])
)
