/**
 * `beckon keys`: the API keys of a tenant's services.
 */
import { Console, DateTime, Duration, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { ApiKey, ApiKeyId, ApiKeyName, ApiKeyRole, ApiKeyScope } from "@beckon/domain/ApiKey"
import { UserId } from "@beckon/domain/Identifiers"
import { pageLimit } from "@beckon/domain/InboxRpcs"
import * as ApiCalls from "./ApiCalls.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"
import * as Text from "./Text.ts"
import * as Tokens from "./Tokens.ts"

const path = "/api/v1/admin/api-keys"

const exitCodes = "Exit codes: 0 done, 1 failed, 2 invalid flags or settings."

const callFlags = {
  url: ApiCalls.urlFlag,
  token: Tokens.tokenFlag,
  tenant: Tokens.tenantFlag,
  dataDir: Settings.dataDirFlag,
  json: Settings.jsonFlag
}

const call = (
  request: HttpClientRequest.HttpClientRequest,
  caller: Pick<Parameters<typeof ApiCalls.call>[1], "url" | "token" | "tenant">
) => ApiCalls.call(request, { ...caller, user: UserId.make("beckon-cli"), role: "admin" })

const Shown = Schema.fromJsonString(Schema.Struct({ data: Schema.Struct({ api_key: ApiKey, key: Schema.String }) }))
const decodeShown = Schema.decodeUnknownEffect(Shown)

const One = Schema.fromJsonString(Schema.Struct({ data: ApiKey }))
const decodeOne = Schema.decodeUnknownEffect(One)

const Page = Schema.fromJsonString(
  Schema.Struct({ data: Schema.Array(ApiKey), meta: Schema.Struct({ next_cursor: Schema.NullOr(Schema.String) }) })
)
const decodePage = Schema.decodeUnknownEffect(Page)

const idArgument = Argument.String("id").pipe(
  Argument.withDescription("Id of the key: what stands between bk_ and the next _"),
  Argument.withSchema(ApiKeyId)
)

/** The key alone on stdout, so that a script takes it; what is known of it on stderr. */
const show = Effect.fnUntraced(function* (body: string, json: boolean) {
  if (json) return yield* Console.log(body)
  const { data } = yield* Effect.mapError(decodeShown(body), ApiCalls.notUnderstood)
  yield* Console.error("Keep it: it is shown only now.")
  yield* Console.log(data.key)
})

const create = Command.make(
  "create",
  {
    name: Argument.String("name").pipe(
      Argument.withDescription("What it is for; 1 to 100 characters"),
      Argument.withSchema(ApiKeyName)
    ),
    role: Flag.Literals("role", ApiKeyRole.literals).pipe(
      Flag.withDescription("What it may do: service (sends to anyone) or admin"),
      Flag.withDefault("service" as const)
    ),
    scopes: Flag.String("scope").pipe(
      Flag.withDescription("Limits it to this scope, such as events:write; may be repeated; default all of its role"),
      Flag.withSchema(ApiKeyScope),
      Flag.between(0, 64)
    ),
    ttl: Flag.String("ttl").pipe(
      Flag.withMetavar("<duration>"),
      Flag.withDescription("How long it is good: 90s, 30m, 12h, 7d; default without end"),
      Flag.filterMap(
        Tokens.parseLifetime,
        (text) => `Expected a duration such as 90s, 30m, 12h or 7d, up to 3650d, not "${text}"`
      ),
      Flag.optional
    ),
    ...callFlags
  },
  ({ dataDir, json, name, role, scopes, ttl, ...caller }) =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const request = HttpClientRequest.post(path).pipe(
        HttpClientRequest.bodyJsonUnsafe({
          name,
          role,
          ...(scopes.length === 0 ? {} : { scopes }),
          ...(Option.isSome(ttl) ? { expires_at: DateTime.formatIso(DateTime.addDuration(now, ttl.value)) } : {})
        })
      )
      yield* show(yield* call(request, caller), json)
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(`Make an API key and print it, for the only time. ${exitCodes}`),
  Command.withShortDescription("Make an API key"),
  Command.withExamples([
    { command: "beckon keys create shop --scope notifications:write", description: "For a service that sends" }
  ])
)

const stateOf = (key: ApiKey, now: DateTime.Utc): string => {
  if (key.revokedAt !== null) return "revoked"
  return key.expiresAt !== null && DateTime.isLessThanOrEqualTo(key.expiresAt, now) ? "expired" : "good"
}

const list = Command.make(
  "list",
  {
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("How many, 1 to 100"),
      Flag.withSchema(pageLimit),
      Flag.withDefault(20)
    ),
    ...callFlags
  },
  ({ dataDir, json, limit, ...caller }) =>
    Effect.gen(function* () {
      const request = HttpClientRequest.get(path).pipe(HttpClientRequest.setUrlParams({ limit: String(limit) }))
      const body = yield* call(request, caller)
      if (json) return yield* Console.log(body)
      const { data, meta } = yield* Effect.mapError(decodePage(body), ApiCalls.notUnderstood)
      const now = yield* DateTime.now
      const rows = data.map((key) => [
        key.id,
        key.name,
        key.role,
        stateOf(key, now),
        key.expiresAt === null ? "" : Text.time(key.expiresAt),
        key.lastUsedAt === null ? "" : Text.time(key.lastUsedAt),
        key.lastUsedAddress ?? "",
        key.scopes?.join(" ") ?? "all of its role"
      ])
      const names = ["ID", "NAME", "ROLE", "STATE", "EXPIRES", "LAST USED", "FROM", "SCOPES"]
      if (rows.length > 0) yield* Console.log(Text.table(names, rows))
      yield* Console.log(`${data.length} shown${meta.next_cursor === null ? "" : ", there are more"}`)
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(`List API keys, the last made first; never their secrets. ${exitCodes}`),
  Command.withShortDescription("List API keys")
)

const rotate = Command.make(
  "rotate",
  {
    id: idArgument,
    overlap: Flag.String("overlap").pipe(
      Flag.withMetavar("<duration>"),
      Flag.withDescription("How long the former secret is good: 90s, 30m, 12h, up to 7d; default 1d"),
      Flag.filterMap(Tokens.parseLifetime, (text) => `Expected a duration such as 90s, 30m, 12h or 7d, not "${text}"`),
      Flag.optional
    ),
    now: Flag.Boolean("now").pipe(
      Flag.withDescription("The former secret ends at once, as when it has leaked"),
      Flag.withDefault(false)
    ),
    ...callFlags
  },
  ({ dataDir, id, json, now, overlap, ...caller }) =>
    Effect.gen(function* () {
      const seconds = Option.map(overlap, (given) => Math.floor(Duration.toSeconds(given)))
      const request = HttpClientRequest.post(`${path}/${encodeURIComponent(id)}/rotate`).pipe(
        HttpClientRequest.bodyJsonUnsafe({
          ...(Option.isSome(seconds) ? { overlap_seconds: seconds.value } : {}),
          ...(now ? { overlap_seconds: 0 } : {})
        })
      )
      yield* show(yield* call(request, caller), json)
    }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(`Give an API key a new secret and print it, for the only time. ${exitCodes}`),
  Command.withShortDescription("Give an API key a new secret")
)

const revoke = Command.make("revoke", { id: idArgument, ...callFlags }, ({ dataDir, id, json, ...caller }) =>
  Effect.gen(function* () {
    const body = yield* call(HttpClientRequest.post(`${path}/${encodeURIComponent(id)}/revoke`), caller)
    if (json) return yield* Console.log(body)
    const { data } = yield* Effect.mapError(decodeOne(body), ApiCalls.notUnderstood)
    yield* Console.log(Text.plain(`Revoked: ${data.id} (${data.name})`))
  }).pipe(Effect.provide([Settings.layer({ dataDir }), FetchHttpClient.layer]), interruptible)
).pipe(
  Command.withDescription(`Revoke an API key, at once and for good; its sockets are closed. ${exitCodes}`),
  Command.withShortDescription("Revoke an API key")
)

export const command = Command.make("keys").pipe(
  Command.withDescription(`API keys of services. ${exitCodes}`),
  Command.withShortDescription("API keys of services"),
  Command.withExamples([
    { command: "beckon keys create shop", description: "Prints the key, for the only time" },
    { command: "beckon keys list", description: "When and from where each was used last" }
  ]),
  Command.withSubcommands([create, list, rotate, revoke])
)
