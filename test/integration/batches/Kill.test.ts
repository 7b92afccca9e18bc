import { layerEmbedded } from "@beckon/infra/postgres/DatabaseClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { cancelKeyOf } from "@beckon/domain/Batch"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { call, lastingPort, service } from "../road/Road.ts"
import { env, recipientsFrom, sendChunk, statusWhen } from "./BatchRoad.ts"

const total = 20_000
const perChunk = 1_000
const chunks = total / perChunk

const content = { notification_type: "sale", title: "Hello {{ name }}" }

describe("a server that is killed in the middle of a batch, twice", () => {
  it.live(
    "goes on where it was: everybody gets exactly one notification, and the counts are right",
    () =>
      Effect.gen(function* () {
        const dataDir = `${yield* BeckonProcess.temporaryFolder}/data`
        const port = yield* lastingPort
        const start = BeckonProcess.start({ dataDir, port, env: { ...env, BECKON_BATCH_LEASE: "3 seconds" } })
        const url = `http://127.0.0.1:${port}`

        let id = ""
        const accepted: Array<number> = []
        /** Up to the kill; the last time to the end. */
        const life = Effect.fnUntraced(function* (until: number) {
          const server = yield* start
          if (id === "") {
            for (let number = 1; number <= chunks; number++) {
              const answer = yield* call(url, sendChunk, {
                token: service,
                body: {
                  chunk_number: number,
                  final: number === chunks,
                  recipients: recipientsFrom((number - 1) * perChunk + 1, perChunk),
                  ...(number === 1 ? { content } : { batch_id: id })
                }
              })
              expect(answer.status).toBe(202)
              id = answer.body.data.batch_id
            }
          }
          const status = yield* statusWhen(
            url,
            id,
            ({ counts, state }) => state === "completed" || counts?.accepted >= until
          )
          accepted.push(status.counts.accepted)
          yield* server.kill("SIGKILL")
          yield* server.exit
          return status
        }, Effect.scoped)

        yield* life(3_000)
        yield* life(11_000)
        const status = yield* life(Infinity)

        // Both kills met it at work.
        expect(accepted[0]).toBeLessThan(total)
        expect(accepted[1]).toBeLessThan(total)
        expect(status).toMatchObject({
          state: "completed",
          counts: { total, pending: 0, accepted: total, duplicates: 0, failed: 0, invalid: 0, cancelled: 0 },
          outcomes: { notifications: { unread: total } }
        })
        const [row] = yield* Effect.gen(function* () {
          const sql = yield* SqlClient
          return yield* sql<Record<string, bigint>>`
            select count(*) as notifications, count(distinct user_id) as users,
              count(*) filter (where title = 'Hello Zoë ' || substring(user_id from 6)) as right_words,
              count(*) filter (where options ->> 'cancelKey' = ${cancelKeyOf(status.batch_id)}) as of_batch,
              (select count(*) from batch_chunks where rows is not null) as kept_rows
            from notifications`
        }).pipe(
          Effect.provide(layerEmbedded({ dataDir })),
          Effect.retry({ times: 3, schedule: Schedule.spaced("1 second") })
        )
        const all = BigInt(total)
        expect(row).toEqual({ notifications: all, users: all, right_words: all, of_batch: all, kept_rows: 0n })
      }).pipe(Effect.scoped),
    600_000
  )
})
