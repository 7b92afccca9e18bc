/**
 * `beckon inbox`: what a user has, newest first.
 */
import { Console, Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { pageLimit, ReadStatus } from "@beckon/domain/InboxRpcs"
import * as ApiCalls from "./ApiCalls.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"
import * as Text from "./Text.ts"
import * as Tokens from "./Tokens.ts"

const flags = {
  status: Flag.Literals("status", ReadStatus.literals).pipe(
    Flag.withDescription("Which ones"),
    Flag.withDefault("all")
  ),
  limit: Flag.Int("limit").pipe(
    Flag.withDescription("How many, 1 to 100"),
    Flag.withSchema(pageLimit),
    Flag.withDefault(20)
  )
}

const Answer = Schema.fromJsonString(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        seq: Schema.Int,
        type: Schema.String,
        title: Schema.String,
        message: Schema.String,
        priority: Schema.String,
        created_at: Schema.DateTimeUtcFromString,
        read_at: Schema.NullOr(Schema.DateTimeUtcFromString)
      })
    ),
    meta: Schema.Struct({ next_cursor: Schema.NullOr(Schema.String), unread: Schema.Int })
  })
)
const decodeAnswer = Schema.decodeUnknownEffect(Answer)

const show = ({ data, meta }: typeof Answer.Type): string => {
  const rows = data.map((one) => [
    String(one.seq),
    Text.time(one.created_at),
    one.read_at === null ? "unread" : "read",
    one.type,
    one.title,
    one.message
  ])
  const list = rows.length === 0 ? [] : [Text.table(["SEQ", "CREATED", "STATE", "TYPE", "TITLE", "MESSAGE"], rows)]
  return [
    ...list,
    `${data.length} shown${meta.next_cursor === null ? "" : ", there are more"}, ${meta.unread} unread`
  ].join("\n")
}

export const command = Command.make(
  "inbox",
  {
    user: Tokens.userArgument,
    ...flags,
    url: ApiCalls.urlFlag,
    token: Tokens.tokenFlag,
    tenant: Tokens.tenantFlag,
    dataDir: Settings.dataDirFlag,
    json: Settings.jsonFlag
  },
  ({ dataDir, json, limit, status, tenant, token, url, user }) =>
    Effect.gen(function* () {
      const request = HttpClientRequest.get("/api/v1/users/me/notifications").pipe(
        HttpClientRequest.setUrlParams({ status, limit: String(limit) })
      )
      const body = yield* ApiCalls.call(request, { url, token, tenant, user, role: "user" })
      const answer = yield* Effect.mapError(decodeAnswer(body), ApiCalls.notUnderstood)
      // A program gets what the API says, also fields that this version does not know.
      yield* Console.log(json ? body : show(answer))
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(
    "List a user's notifications, newest first; with --json the answer of the HTTP API. Exit codes: 0 listed, 1 failed, 2 invalid flags or settings."
  ),
  Command.withShortDescription("List a user's notifications"),
  Command.withExamples([
    { command: "beckon inbox alice", description: "The newest 20" },
    { command: "beckon inbox alice --status unread --limit 100 --json", description: "Up to 100 unread ones, as JSON" }
  ])
)
