/**
 * `beckon send`: one notification for one user, as a service.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { UserId } from "@beckon/domain/Identifiers"
import { limits, NotificationData, NotificationType, Priority } from "@beckon/domain/Notification"
import { nonEmptyTextOf, textOf } from "@beckon/domain/Text"
import * as ApiCalls from "./ApiCalls.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"
import * as Tokens from "./Tokens.ts"

const flags = {
  title: Flag.String("title").pipe(Flag.withDescription("Title"), Flag.withSchema(nonEmptyTextOf(limits.title))),
  message: Flag.String("message").pipe(Flag.withDescription("Text"), Flag.withSchema(textOf(limits.message))),
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
  Schema.Struct({ data: Schema.Struct({ id: Schema.String, seq: Schema.Int, duplicate: Schema.Boolean }) })
)
const decodeAnswer = Schema.decodeUnknownEffect(Answer)

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
  ({ data, dataDir, dedupeKey, json, message, priority, tenant, title, token, type, url, user }) =>
    Effect.gen(function* () {
      const request = HttpClientRequest.post("/api/v1/services/notifications/send").pipe(
        HttpClientRequest.bodyJsonUnsafe({
          user_id: user,
          type,
          title,
          message,
          priority: Option.getOrUndefined(priority),
          data: Option.getOrUndefined(data),
          dedupe_key: Option.getOrUndefined(dedupeKey)
        })
      )
      const caller = { url, token, tenant, user: UserId.make("beckon-cli"), role: "service" } as const
      const body = yield* ApiCalls.call(request, caller)
      const { data: accepted } = yield* Effect.mapError(decodeAnswer(body), ApiCalls.notUnderstood)
      yield* Console.log(
        json
          ? JSON.stringify({ ...accepted, user_id: user })
          : accepted.duplicate
            ? `Was sent before as number ${accepted.seq} of ${user}: ${accepted.id}`
            : `Sent as number ${accepted.seq} of ${user}: ${accepted.id}`
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
    }
  ])
)
