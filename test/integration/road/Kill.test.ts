import { assert, describe, it } from "@effect/vitest"
import { Clock, Data, Deferred, Effect, Fiber, Schedule, Stream } from "effect"
import { InboxClient } from "@beckon/client/InboxClient"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { call, jwtSecret, lastingPort, randomOf, seed, service, token } from "./Road.ts"

const total = 10_000
const users = Array.from({ length: 8 }, (_, index) => `user-${index}`)
const watched = "user-0"
const perUser = total / users.length

class NotAnswered extends Data.TaggedError("NotAnswered")<{ readonly status: number }> {}

interface Sent {
  readonly user: string
  readonly id: string
  readonly seq: number
}

const dense = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** A user's whole inbox, oldest first. */
const inboxOf = Effect.fnUntraced(function* (url: string, user: string) {
  const rows: Array<{ readonly id: string; readonly seq: number; readonly title: string }> = []
  let cursor = ""
  while (true) {
    const { body } = yield* call(url, `/api/v1/users/me/notifications?limit=100${cursor}`, {
      token: token({ sub: user })
    })
    rows.push(...body.data)
    if (body.meta.next_cursor === null) return rows.toReversed()
    cursor = `&cursor=${body.meta.next_cursor}`
  }
})

describe("a server that is killed", () => {
  it.live(
    "loses nothing that it answered, makes nothing twice, and its clients notice neither gap nor repeat",
    () =>
      Effect.gen(function* () {
        const chance = yield* seed
        const killAfter = 1_000 + Math.floor(randomOf(chance)() * (total - 2_000))
        const env = { BECKON_JWT_SECRET: jwtSecret }
        const folder = yield* BeckonProcess.temporaryFolder
        const first = yield* BeckonProcess.start({ env, dataDir: `${folder}/data`, port: yield* lastingPort })
        const { port, url } = first

        const client = yield* InboxClient.make({
          url,
          token: token({ sub: watched }),
          backoff: { base: "20 millis", max: "100 millis" }
        })
        const seen: Array<number> = []
        const recovered: Array<boolean> = []
        const seenAll = yield* Deferred.make<void>()
        const seenAt = new Map<number, number>()
        yield* Effect.forkScoped(
          Stream.runForEach(client.frames, (event) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              if (event._tag === "Subscribed") recovered.push(event.recovered)
              if (event._tag !== "Notification") return
              seen.push(event.notification.seq)
              seenAt.set(event.notification.seq, now)
              if (event.notification.seq >= perUser) Deferred.doneUnsafe(seenAll, Effect.void)
            })
          )
        )

        const sent = new Map<number, Sent>()
        const answeredAt: Array<number> = []
        const reached = yield* Deferred.make<void>()
        let retries = 0
        const sendOne = (index: number) => {
          const user = users[index % users.length] ?? watched
          const body = {
            user_id: user,
            type: "order_created",
            title: `n${index}`,
            message: "x".repeat(100),
            dedupe_key: `k${index}`
          }
          return Effect.gen(function* () {
            const { body: answer, status } = yield* call(url, "/api/v1/services/notifications/send", {
              token: service,
              body
            })
            if (status !== 202) return yield* new NotAnswered({ status })
            sent.set(index, { user, id: answer.data.id, seq: answer.data.seq })
            answeredAt.push(yield* Clock.currentTimeMillis)
            if (sent.size === killAfter) yield* Deferred.succeed(reached, undefined)
          }).pipe(
            Effect.tapError(() => Effect.sync(() => (retries += 1))),
            Effect.retry(Schedule.spaced("20 millis"))
          )
        }
        const begin = yield* Clock.currentTimeMillis
        const sending = yield* Effect.forkScoped(
          Effect.forEach(Array.from({ length: total }), (_, index) => sendOne(index), {
            concurrency: 32,
            discard: true
          })
        )
        yield* Deferred.await(reached)
        const killedAt = yield* Clock.currentTimeMillis
        const perSecond = (killAfter / (killedAt - begin)) * 1_000
        yield* first.kill("SIGKILL")
        assert.strictEqual((yield* first.exit).signal, "SIGKILL")
        const answered = new Map(sent)
        yield* BeckonProcess.start({ env, dataDir: `${folder}/data`, port })
        yield* Fiber.join(sending)
        yield* Deferred.await(seenAll)
        const firstAnswer = answeredAt.find((at) => at > killedAt + 50) ?? Number.NaN
        const firstSeen = Math.min(...[...seenAt.values()].filter((at) => at > killedAt + 50))

        assert.strictEqual(sent.size, total)
        assert.deepStrictEqual(seen, dense(perUser))
        assert.deepStrictEqual(
          recovered.slice(1),
          recovered.slice(1).map(() => true)
        )
        assert.isAtLeast(recovered.length, 2)
        for (const user of users) {
          const rows = yield* inboxOf(url, user)
          assert.deepStrictEqual(
            rows.map(({ seq }) => seq),
            dense(perUser)
          )
          assert.strictEqual(new Set(rows.map(({ title }) => title)).size, perUser)
          const seqOf = new Map(rows.map(({ id, seq }) => [id, seq]))
          for (const [index, one] of [...answered, ...sent]) {
            if (one.user === user) assert.strictEqual(seqOf.get(one.id), one.seq, `send ${index}`)
          }
        }
        yield* Effect.logInfo(
          `seed ${chance}: killed after ${killAfter} of ${total} answers (${Math.round(perSecond)}/s), ${retries} tries without an answer; ` +
            `senders stalled ${firstAnswer - killedAt} ms, the client ${firstSeen - killedAt} ms`
        )
      }),
    120_000
  )
})
