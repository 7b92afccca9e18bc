import { layerEmbedded } from "@beckon/infra/postgres/DatabaseClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { env, NotYet, statusWhen } from "../batches/BatchRoad.ts"
import { call, lastingPort, service } from "../road/Road.ts"
import { fileOf, header, rowOf, upload } from "./UploadRoad.ts"

const rows = 8_000
const query = { notification_type: "sale", title: "Hello {{ name }}" }
const list = "/api/v1/services/batches?kind=csv"

/** The newest upload, when it has so many rows. */
const uploading = (url: string, total: number) =>
  call(url, list, { token: service }).pipe(
    Effect.flatMap(({ body }) =>
      body.data?.[0]?.counts?.total >= total ? Effect.succeed(body.data[0]) : Effect.fail(new NotYet({ status: body }))
    ),
    Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 600 })
  )

/** A file whose end never comes. */
function* endless(): Generator<string> {
  yield header
  for (let number = 1; number <= 2_500; number += 1) yield rowOf(number)
}

const counted = (dataDir: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const [row] = yield* sql<Record<string, bigint>>`
      select count(*) as notifications, count(distinct user_id) as users,
        count(*) filter (where title = 'Hello Zoë, ' || substring(user_id from 6)) as right_words,
        (select count(*) from batch_chunks where rows is not null) as kept_rows
      from notifications`
    return row
  }).pipe(Effect.provide(layerEmbedded({ dataDir })), Effect.retry({ times: 3, schedule: Schedule.spaced("1 second") }))

describe("a server that is killed while it takes in a file, and twice while it sends one", () => {
  it.live(
    "sends nothing of the first, and exactly one to everybody of the second",
    () =>
      Effect.gen(function* () {
        const dataDir = `${yield* BeckonProcess.temporaryFolder}/data`
        const port = yield* lastingPort
        const url = `http://127.0.0.1:${port}`
        const start = BeckonProcess.start({
          dataDir,
          port,
          env: { ...env, BECKON_BATCH_LEASE: "3 seconds", BECKON_BULK_LEASE: "2 seconds" }
        })
        const killed = Effect.fnUntraced(function* (server: BeckonProcess.BeckonProcess) {
          yield* server.kill("SIGKILL")
          yield* server.exit
        })

        // In the middle of the upload.
        const half = yield* Effect.gen(function* () {
          const server = yield* start
          const pieces = [...endless()]
          const sending = yield* Effect.forkChild(
            Effect.flip(upload(url, pieces, { query, headers: { "content-length": "9000000" } }))
          )
          const seen = yield* uploading(url, 2_000)
          expect(seen).toMatchObject({ state: "open", counts: { accepted: 0 } })
          yield* killed(server)
          expect(yield* Fiber.join(sending)).toMatchObject({ _tag: "UploadCut" })
          return seen.batch_id
        }).pipe(Effect.scoped)

        let id = ""
        const life = Effect.fnUntraced(function* (until: number) {
          const server = yield* start
          if (id === "") {
            const given = yield* statusWhen(url, half, ({ state }) => state === "failed")
            expect(given).toMatchObject({ counts: { accepted: 0, pending: 0 } })
            const answer = yield* upload(url, fileOf(rows), { query })
            expect(answer).toMatchObject({ status: 202, body: { data: { rows, invalid: 0 } } })
            id = answer.body.data.batch_id
          }
          const status = yield* statusWhen(
            url,
            id,
            ({ counts, state }) => state === "completed" || counts?.accepted >= until
          )
          yield* killed(server)
          return status
        }, Effect.scoped)

        expect((yield* life(1_000)).counts.accepted).toBeLessThan(rows)
        expect((yield* life(4_000)).counts.accepted).toBeLessThan(rows)
        expect(yield* life(Infinity)).toMatchObject({
          state: "completed",
          counts: { total: rows, accepted: rows, pending: 0, duplicates: 0, failed: 0 },
          outcomes: { notifications: { unread: rows } }
        })
        const all = BigInt(rows)
        expect(yield* counted(dataDir)).toEqual({ notifications: all, users: all, right_words: all, kept_rows: 0n })
      }).pipe(Effect.scoped),
    300_000
  )
})
