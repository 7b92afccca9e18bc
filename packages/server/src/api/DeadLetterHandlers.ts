/**
 * `/api/v1/dead-letters/*`: deliveries that nobody tries any more, and records that nobody understood.
 */
import { DateTime, Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { maxLetterValue } from "@beckon/domain/api/DeliveryApi"
import type { DeadTargetBody } from "@beckon/domain/api/DeliveryApi"
import { DeliveryId } from "@beckon/domain/Delivery"
import { NotFound } from "@beckon/domain/Problem"
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { DeadTarget } from "@beckon/domain/ports/DeliveryStore"
import { Audit } from "../audit/Audit.ts"
import { Nudges } from "../delivery/Nudges.ts"
import * as Cursor from "../inbox/Cursor.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as Status from "../inbox/Status.ts"

const defaultLimit = 20
const defaultReplay = 1_000

const targetOf = (body: DeadTargetBody): DeadTarget =>
  "ids" in body
    ? { _tag: "Ids", ids: body.ids }
    : {
        _tag: "All",
        limit: body.limit ?? defaultReplay,
        ...(body.channel === undefined ? {} : { channel: body.channel })
      }

/** What was asked for, as the audit log shows it. */
const notedOf = (body: DeadTargetBody) =>
  "ids" in body ? { ids: [...body.ids] } : { all: true, channel: body.channel ?? null, limit: body.limit ?? null }

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "deadLetters",
  Effect.fn(function* (handlers) {
    const store = yield* DeliveryStore
    const letters = yield* DeadLetters
    const nudges = yield* Nudges
    const audit = yield* Audit
    return handlers.handleAll({
      list: ({ query: { channel, cursor, limit = defaultLimit, userId } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const before = cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toId(cursor))
          const rows = yield* Effect.catch(
            store.list(tenantId, {
              states: ["dead"],
              unresolved: true,
              limit: limit + 1,
              ...(channel === undefined ? {} : { channel }),
              ...(userId === undefined ? {} : { userId }),
              ...(before === undefined ? {} : { before: DeliveryId.make(before) })
            }),
            storeToProblem
          )
          return Cursor.pageOf(rows.map(Status.deliveryView), limit, ({ id }) => Cursor.ofId(id))
        }),
      events: ({ query: { limit = defaultLimit } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const listed = yield* Effect.catch(letters.list({ tenantId, limit }), storeToProblem)
          return { data: listed.map((letter) => ({ ...letter, value: letter.value.slice(0, maxLetterValue) })) }
        }),
      get: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const found = yield* Effect.catch(store.get(tenantId, params.id), storeToProblem)
          return Option.isSome(found) && found.value.state === "dead"
            ? { data: Status.historyView(found.value) }
            : yield* new NotFound({ detail: "id: no dead delivery of your tenant has this id" })
        }),
      replay: ({ payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const now = yield* DateTime.now
          const data = yield* Effect.catch(store.replay(tenantId, targetOf(payload), now), storeToProblem)
          nudges.send.now()
          yield* audit.record({
            action: "dead_letter.replay",
            target: "dead_letters",
            before: notedOf(payload),
            after: { replayed: data.map(({ id, replayedAs }) => ({ id, replayed_as: replayedAs })) }
          })
          return { data }
        }),
      discard: ({ payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const now = yield* DateTime.now
          const discarded = yield* Effect.catch(store.discard(tenantId, targetOf(payload), now), storeToProblem)
          yield* audit.record({
            action: "dead_letter.discard",
            target: "dead_letters",
            before: notedOf(payload),
            after: { discarded }
          })
          return { data: { discarded } }
        })
    })
  })
)
