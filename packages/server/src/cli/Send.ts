/**
 * `beckon send`: one notification for one user, as a service.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { TemplateCode, urgencyOf } from "@beckon/domain/DeliveryOptions"
import { UserId } from "@beckon/domain/Identifiers"
import { limits, NotificationData, NotificationType, Priority } from "@beckon/domain/Notification"
import { nonEmptyTextOf, textOf } from "@beckon/domain/Text"
import * as ApiCalls from "./ApiCalls.ts"
import * as FailureLine from "./FailureLine.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"
import * as Tokens from "./Tokens.ts"

const flags = {
  title: Flag.String("title").pipe(
    Flag.withDescription("Title; needed without --template"),
    Flag.withSchema(nonEmptyTextOf(limits.title)),
    Flag.optional
  ),
  message: Flag.String("message").pipe(
    Flag.withDescription("Text; needed without --template"),
    Flag.withSchema(textOf(limits.message)),
    Flag.optional
  ),
  template: Flag.String("template").pipe(
    Flag.withMetavar("<code>"),
    Flag.withDescription("Template that gives title and text"),
    Flag.withSchema(TemplateCode),
    Flag.optional
  ),
  variables: Flag.KeyValuePair("var").pipe(
    Flag.withDescription("A variable of the template; as often as needed"),
    Flag.optional
  ),
  type: Flag.String("type").pipe(
    Flag.withDescription("Type that clients tell apart"),
    Flag.withSchema(NotificationType),
    Flag.withDefault("message")
  ),
  priority: Flag.Literals("priority", Priority.literals).pipe(Flag.withDescription("Urgency"), Flag.optional),
  data: Flag.String("data").pipe(
    Flag.withMetavar("<json>"),
    Flag.withDescription("A JSON object for the client"),
    Flag.withSchema(Schema.fromJsonString(NotificationData)),
    Flag.optional
  ),
  dedupeKey: Flag.String("dedupe-key").pipe(
    Flag.withDescription("The same key within 24 hours makes one notification"),
    Flag.withSchema(nonEmptyTextOf(limits.dedupeKey)),
    Flag.optional
  )
}

const Answer = Schema.fromJsonString(
  Schema.Struct({
    data: Schema.Struct({ id: Schema.String, seq: Schema.optionalKey(Schema.Int), duplicate: Schema.Boolean })
  })
)
const decodeAnswer = Schema.decodeUnknownEffect(Answer)

const misused = (line: string) => new FailureLine.CommandFailed({ line, exitCode: FailureLine.exitCodes.usage })

interface Input {
  readonly user: UserId
  readonly type: string
  readonly title: Option.Option<string>
  readonly message: Option.Option<string>
  readonly template: Option.Option<string>
  readonly variables: Option.Option<Readonly<Record<string, string>>>
  readonly priority: Option.Option<Priority>
  readonly data: Option.Option<Schema.JsonObject>
  readonly dedupeKey: Option.Option<string>
}

/** Literal text, or a template: two calls of the API. */
const requestOf = (input: Input) => {
  const data = Option.getOrUndefined(input.data)
  if (Option.isSome(input.template)) {
    if (Option.isSome(input.title) || Option.isSome(input.message)) {
      return Effect.fail(misused("--template does not go together with --title and --message"))
    }
    return Effect.succeed(
      HttpClientRequest.post("/api/v1/notifications").pipe(
        HttpClientRequest.bodyJsonUnsafe({
          user_id: input.user,
          notification_type: input.type,
          template_code: input.template.value,
          variables: Option.getOrElse(input.variables, () => ({})),
          priority: Option.getOrUndefined(Option.map(input.priority, (priority) => urgencyOf[priority])),
          data,
          request_id: Option.getOrUndefined(input.dedupeKey)
        })
      )
    )
  }
  if (Option.isNone(input.title)) return Effect.fail(misused("--title is needed, or --template"))
  if (Option.isNone(input.message)) return Effect.fail(misused("--message is needed, or --template"))
  if (Option.isSome(input.variables)) return Effect.fail(misused("--var goes with --template"))
  return Effect.succeed(
    HttpClientRequest.post("/api/v1/services/notifications/send").pipe(
      HttpClientRequest.bodyJsonUnsafe({
        user_id: input.user,
        type: input.type,
        title: input.title.value,
        message: input.message.value,
        priority: Option.getOrUndefined(input.priority),
        data,
        dedupe_key: Option.getOrUndefined(input.dedupeKey)
      })
    )
  )
}

export const command = Command.make(
  "send",
  {
    user: Tokens.userArgument,
    ...flags,
    url: ApiCalls.urlFlag,
    token: Tokens.tokenFlag,
    tenant: Tokens.tenantFlag,
    dataDir: Settings.dataDirFlag,
    json: Settings.jsonFlag
  },
  ({ dataDir, json, tenant, token, url, ...input }) =>
    Effect.gen(function* () {
      const request = yield* requestOf(input)
      const caller = { url, token, tenant, user: UserId.make("beckon-cli"), role: "service" } as const
      const body = yield* ApiCalls.call(request, caller)
      const { data: accepted } = yield* Effect.mapError(decodeAnswer(body), ApiCalls.notUnderstood)
      const { user } = input
      const where = accepted.seq === undefined ? `to ${user}` : `as number ${accepted.seq} of ${user}`
      yield* Console.log(
        json
          ? JSON.stringify({ ...accepted, user_id: user })
          : `${accepted.duplicate ? "Was sent before" : "Sent"} ${where}: ${accepted.id}`
      )
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(
    "Send a notification to a user. It is saved when the command ends with 0; 1 is a failure that is told, 2 invalid flags or settings. Send again with the same --dedupe-key when it is not known whether it arrived."
  ),
  Command.withShortDescription("Send a notification"),
  Command.withExamples([
    { command: "beckon send alice --title Hello --message 'How are you?'", description: "To alice" },
    {
      command: `beckon send alice --title 'Order 7' --message 'On its way' --type order_picked_up --data '{"order":7}' --dedupe-key order-7`,
      description: "With data, and once however often it is run"
    },
    { command: "beckon send alice --template welcome --var name=Alice", description: "A template, in her language" }
  ])
)
