/**
 * Deliveries of the HTTP API, as tables for people; and the calls for them, as a service of the tenant.
 */
import { Effect, Schema } from "effect"
import { Argument, Flag } from "effect/cli"
import type { HttpClientRequest } from "effect/http"
import { DeliveryChannel, deliveryChannels, DeliveryId } from "@beckon/domain/Delivery"
import { UserId } from "@beckon/domain/Identifiers"
import { pageLimit } from "@beckon/domain/InboxRpcs"
import * as ApiCalls from "./ApiCalls.ts"
import * as Settings from "./Settings.ts"
import * as Text from "./Text.ts"
import * as Tokens from "./Tokens.ts"

/** What every one of these commands takes. */
export const callFlags = {
  url: ApiCalls.urlFlag,
  token: Tokens.tokenFlag,
  tenant: Tokens.tenantFlag,
  dataDir: Settings.dataDirFlag,
  json: Settings.jsonFlag
}

export const channelFlag = Flag.Literals("channel", deliveryChannels).pipe(
  Flag.withDescription("Only this channel"),
  Flag.optional
)

export const limitFlag = Flag.Int("limit").pipe(
  Flag.withDescription("How many, 1 to 100"),
  Flag.withSchema(pageLimit),
  Flag.withDefault(20)
)

export const idArgument = Argument.String("id").pipe(
  Argument.withDescription("Id of the delivery"),
  Argument.withSchema(DeliveryId)
)

export const call = (
  request: HttpClientRequest.HttpClientRequest,
  caller: Pick<Parameters<typeof ApiCalls.call>[1], "url" | "token" | "tenant">
) => ApiCalls.call(request, { ...caller, user: UserId.make("beckon-cli"), role: "service" })

const Row = Schema.Struct({
  id: Schema.String,
  user_id: Schema.NullOr(Schema.String),
  topic: Schema.NullOr(Schema.String),
  endpoint_id: Schema.NullOr(Schema.String),
  channel: DeliveryChannel,
  state: Schema.String,
  attempts: Schema.Int,
  provider: Schema.NullOr(Schema.String),
  reason: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  updated_at: Schema.DateTimeUtcFromString
})

const Page = Schema.fromJsonString(
  Schema.Struct({ data: Schema.Array(Row), meta: Schema.Struct({ next_cursor: Schema.NullOr(Schema.String) }) })
)
const decodePage = Schema.decodeUnknownEffect(Page)

const Happened = Schema.Struct({
  kind: Schema.Literals(["attempt", "event"]),
  provider: Schema.String,
  outcome: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Schema.NullOr(Schema.String)),
  code: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  duration_ms: Schema.optionalKey(Schema.Finite),
  at: Schema.DateTimeUtcFromString
})
const One = Schema.fromJsonString(
  Schema.Struct({ data: Schema.Struct({ ...Row.fields, history: Schema.Array(Happened) }) })
)
const decodeOne = Schema.decodeUnknownEffect(One)

const toWhom = (row: typeof Row.Type): string =>
  row.user_id ?? (row.topic === null ? (row.endpoint_id ?? "") : `topic ${row.topic}`)

/** A page of deliveries as a table. */
export const showPage = Effect.fnUntraced(function* (body: string) {
  const { data, meta } = yield* Effect.mapError(decodePage(body), ApiCalls.notUnderstood)
  const rows = data.map((row) => [
    row.id,
    Text.time(row.updated_at),
    row.channel,
    toWhom(row),
    row.state,
    String(row.attempts),
    row.provider ?? "",
    row.reason ?? ""
  ])
  const names = ["ID", "UPDATED", "CHANNEL", "TO", "STATE", "TRIES", "PROVIDER", "REASON"]
  return [
    ...(rows.length === 0 ? [] : [Text.table(names, rows)]),
    `${data.length} shown${meta.next_cursor === null ? "" : ", there are more"}`
  ].join("\n")
})

/** One delivery with its history. */
export const showOne = Effect.fnUntraced(function* (body: string) {
  const { data } = yield* Effect.mapError(decodeOne(body), ApiCalls.notUnderstood)
  const { attempts, channel, detail, history, id, reason, state } = data
  const rows = history.map((one) => [
    Text.time(one.at),
    one.kind,
    one.provider,
    one.outcome ?? one.state ?? "",
    one.code ?? "",
    one.duration_ms === undefined ? "" : `${Math.round(one.duration_ms)} ms`,
    one.detail ?? ""
  ])
  const why = [reason, detail].filter((part) => part !== null).join(": ")
  return [
    Text.plain(`${id}: ${channel} to ${toWhom(data)}, ${state}${why === "" ? "" : ` (${why})`}, ${attempts} tries`),
    ...(rows.length === 0 ? [] : [Text.table(["AT", "WHAT", "PROVIDER", "OUTCOME", "CODE", "TOOK", "DETAIL"], rows)])
  ].join("\n")
})
