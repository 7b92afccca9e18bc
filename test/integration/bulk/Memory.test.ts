import { describe, expect, it } from "@effect/vitest"
import { Clock, Config, Effect, Option, Redacted } from "effect"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { freshDatabase } from "../../support/services/Services.ts"
import { env, NotYet, statusWhen } from "../batches/BatchRoad.ts"
import { fileOf, memoryOf, upload } from "./UploadRoad.ts"

/** `BECKON_TEST_CSV_ROWS=1000000` is the whole thing; it takes minutes. */
const rowsOfRun = Effect.map(Config.option(Config.Int("BECKON_TEST_CSV_ROWS")), (given) =>
  Option.getOrElse(given, () => 50_000)
)

const query = { notification_type: "sale", title: "Hello {{ name }}" }

/** Of the process, in MB. */
const limit = 256

describe("a file that is larger than what may be in memory", () => {
  it.live(
    "is taken in, and its sending begins, within 256 MB",
    () =>
      Effect.gen(function* () {
        const rows = yield* rowsOfRun
        const { url: database } = yield* freshDatabase
        yield* BeckonProcess.build
        const server = yield* BeckonProcess.start({
          built: true,
          // As docs/guides/bulk.md says for a node that has no more.
          env: {
            ...env,
            DATABASE_URL: Redacted.value(database),
            BECKON_RATE_LIMIT_TENANT: "off",
            BECKON_RATE_LIMIT_KEY: "off",
            BECKON_MAILBOXES_AWAKE: "256",
            BECKON_BATCH_CONCURRENCY: "1",
            MALLOC_ARENA_MAX: "2",
            NODE_OPTIONS: "--max-old-space-size=152 --max-semi-space-size=2"
          }
        })
        const ready = memoryOf(server.pid)
        const began = yield* Clock.currentTimeMillis
        const answer = yield* upload(server.url, fileOf(rows), { query })
        const taken = (yield* Clock.currentTimeMillis) - began
        expect(answer).toMatchObject({ status: 202, body: { data: { rows, invalid: 0, duplicate: false } } })
        const uploaded = memoryOf(server.pid)
        // The rest of a long file takes no more than its beginning: what is kept does not grow.
        const some = rows > 50_000 ? Math.min(rows, 100_000) : Math.min(rows, 20_000)
        const id: string = answer.body.data.batch_id
        const status = yield* Effect.raceFirst(
          statusWhen(server.url, id, ({ counts }) => counts?.accepted >= some),
          // Out of memory.
          Effect.flatMap(server.exit, () => Effect.fail(new NotYet({ status: server.stderr.slice(-30) })))
        )
        const sent = memoryOf(server.pid)
        yield* Effect.logInfo(
          `${rows} rows in ${taken} ms (${Math.round((rows / taken) * 1_000)} a second); MB: ready ${ready.now.toFixed()}, ` +
            `uploaded ${uploaded.peak.toFixed()}, after ${status.counts.accepted} sent ${sent.peak.toFixed()}`
        )
        expect(sent.peak).toBeLessThan(limit)
      }).pipe(Effect.scoped),
    900_000
  )
})
