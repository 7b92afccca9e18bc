/**
 * `beckon deliveries`: what is under way beyond the socket, what became of it, and whether anything is lost.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { DeliveryState } from "@beckon/domain/Delivery"
import { UserId } from "@beckon/domain/Identifiers"
import * as ApiCalls from "./ApiCalls.ts"
import * as DeliveryRows from "./DeliveryRows.ts"
import * as FailureLine from "./FailureLine.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"

const path = "/api/v1/deliveries"

const exitCodes = "Exit codes: 0 done, 1 failed, 2 invalid flags or settings."

const list = Command.make(
  "list",
  {
    state: Flag.Literals("state", DeliveryState.literals).pipe(
      Flag.withDescription("Only those in this state"),
      Flag.optional
    ),
    channel: DeliveryRows.channelFlag,
    user: Flag.String("user").pipe(
      Flag.withDescription("Only those to this user"),
      Flag.withSchema(UserId),
      Flag.optional
    ),
    limit: DeliveryRows.limitFlag,
    ...DeliveryRows.callFlags
  },
  ({ channel, dataDir, json, limit, state, user, ...caller }) =>
    Effect.gen(function* () {
      const request = HttpClientRequest.get(path).pipe(
        HttpClientRequest.setUrlParams({
          limit: String(limit),
          ...Option.match(state, { onNone: () => ({}), onSome: (given) => ({ state: given }) }),
          ...Option.match(channel, { onNone: () => ({}), onSome: (given) => ({ channel: given }) }),
          ...Option.match(user, { onNone: () => ({}), onSome: (given) => ({ user_id: given }) })
        })
      )
      const body = yield* DeliveryRows.call(request, caller)
      yield* Console.log(json ? body : yield* DeliveryRows.showPage(body))
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(`List deliveries, newest first; with --json the answer of the HTTP API. ${exitCodes}`),
  Command.withShortDescription("List deliveries"),
  Command.withExamples([
    { command: "beckon deliveries list --state failed --channel email", description: "Mails that wait for another try" }
  ])
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
  Command.withDescription(`Show one delivery with every try and every word of a provider. ${exitCodes}`),
  Command.withShortDescription("Show one delivery")
)

const Reconciliation = Schema.fromJsonString(
  Schema.Struct({
    data: Schema.Struct({
      open: Schema.Int,
      unplanned: Schema.Int,
      overdue: Schema.Int,
      stray_items: Schema.Int,
      contradictions: Schema.Int
    })
  })
)
const decodeReconciliation = Schema.decodeUnknownEffect(Reconciliation)

const reconcile = Command.make("reconcile", DeliveryRows.callFlags, ({ dataDir, json, ...caller }) =>
  Effect.gen(function* () {
    const body = yield* DeliveryRows.call(HttpClientRequest.get(`${path}/reconciliation`), caller)
    const { data } = yield* Effect.mapError(decodeReconciliation(body), ApiCalls.notUnderstood)
    const { open, ...wrong } = data
    const found = Object.entries(wrong).filter(([, count]) => count > 0)
    if (json) yield* Console.log(body)
    else if (found.length === 0) yield* Console.log(`Nothing is lost; ${open} under way`)
    if (found.length > 0) {
      const counts = found.map(([name, count]) => `${count} ${name.replace("_", " ")}`).join(", ")
      return yield* FailureLine.failed(`The store is not as it should be: ${counts}; ${open} under way`)
    }
  }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(
    `Look through the store for deliveries that no worker would find. It ends with 1 when there are any. ${exitCodes}`
  ),
  Command.withShortDescription("Check that nothing is lost")
)

export const command = Command.make("deliveries").pipe(
  Command.withDescription(`Deliveries by push, email, SMS, WhatsApp and webhook. ${exitCodes}`),
  Command.withShortDescription("Deliveries beyond the socket"),
  Command.withExamples([
    { command: "beckon deliveries list --state dead", description: "Those that nobody tries any more" },
    { command: "beckon deliveries reconcile", description: "Whether anything is lost" }
  ]),
  Command.withSubcommands([list, show, reconcile])
)
