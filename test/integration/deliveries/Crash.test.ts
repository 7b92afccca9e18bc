/**
 * Workers that are killed while a provider fails: every delivery has one end, and none is lost.
 *
 * **Details**
 *
 * `BECKON_TEST_DELIVERIES` gives the number of deliveries, `BECKON_TEST_SEED` repeats the run's chance.
 */
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Clock, Config, Effect, Exit, Layer, Redacted, Schedule, Scope } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { startPostgres, startRedis } from "../../support/services/Services.ts"
import { call, jwtSecret, lastingPort, randomOf, seed, service } from "../road/Road.ts"
import * as MailService from "./MailService.ts"

const total = Config.withDefault(Config.Int("BECKON_TEST_DELIVERIES"), 10_000)

/** Users of one broadcast, at most. */
const maxAudience = 10_000

const kills = 3

interface State {
  readonly state: string
  readonly count: number
}

const stateCounts = Effect.flatMap(
  SqlClient,
  (sql) => sql<State>`select state, count(*)::int as count from deliveries group by state order by state`
)

const openOf = (counts: ReadonlyArray<State>): number =>
  counts
    .filter(({ state }) => ["pending", "sending", "failed"].includes(state))
    .reduce((sum, one) => sum + one.count, 0)

describe("workers that are killed while the provider fails three in ten", () => {
  it.live(
    "end every delivery once, lose none, and show the provider none more often than its attempts say",
    () =>
      Effect.gen(function* () {
        const deliveries = yield* total
        const audience = Math.min(maxAudience, deliveries)
        const random = randomOf(yield* seed)
        const mail = yield* MailService.start({ failing: 0.3, random })
        const [postgres, redis] = yield* Effect.all([startPostgres(), startRedis()], { concurrency: 2 })
        const folder = yield* BeckonProcess.temporaryFolder
        const outer = yield* Effect.scope

        const startNode = Effect.fnUntraced(function* (index: number, port: number, nodePort: number) {
          const scope = yield* Scope.fork(outer)
          const running = yield* BeckonProcess.start({
            port,
            dataDir: `${folder}/${index}`,
            env: {
              DATABASE_URL: Redacted.value(postgres.url),
              REDIS_URL: Redacted.value(redis.url),
              BECKON_JWT_SECRET: jwtSecret,
              BECKON_DEVICE_TOKEN_SECRET: "5e".repeat(32),
              BECKON_LEASE: "4 seconds",
              HOST: "127.0.0.1",
              NODE_PORT: String(nodePort),
              SENDGRID_API_KEY: "a key of the tests",
              SENDGRID_URL: mail.url,
              MAIL_FROM: "Beckon <beckon@example.com>",
              BECKON_DELIVERY_LEASE: "5 seconds",
              BECKON_DELIVERY_RETRY_BASE: "100 millis",
              BECKON_BREAKER_OPEN: "200 millis"
            }
          }).pipe(Effect.provideService(Scope.Scope, scope))
          return { index, port, nodePort, scope, running }
        })
        const nodes: Array<Effect.Success<ReturnType<typeof startNode>>> = []
        for (let index = 0; index < 3; index++)
          nodes.push(yield* startNode(index, yield* lastingPort, yield* lastingPort))

        const database = Layer.build(PgClient.layer({ url: postgres.url, maxConnections: 2 }))
        const context = yield* database
        const within = <A, E>(effect: Effect.Effect<A, E, SqlClient>) => Effect.provide(effect, context)

        yield* within(
          Effect.flatMap(
            SqlClient,
            (sql) => sql`
              insert into users (tenant_id, user_id, email, updated_at)
              select 'default', 'user-' || n, 'user-' || n || '@example.com', now() from generate_series(1, ${audience}) n`
          )
        )

        /** Tells everyone; again where a node died under the call. */
        const broadcast = (round: number) =>
          Effect.gen(function* () {
            const { url } = nodes[Math.floor(random() * nodes.length)]?.running ?? nodes[0]!.running
            let cursor: string | null = null
            do {
              const { body, status }: Effect.Success<ReturnType<typeof call>> = yield* call(
                url,
                "/api/v1/notifications/broadcast",
                {
                  token: service,
                  body: {
                    audience: { everyone: true },
                    request_id: `round-${round}`,
                    notification_type: "news",
                    title: `Round ${round}`,
                    message: "Read all about it",
                    channels: ["email"],
                    ...(cursor === null ? {} : { cursor })
                  }
                }
              )
              if (status !== 202) return yield* Effect.fail({ status, body } as const)
              cursor = body.meta.next_cursor
            } while (cursor !== null)
          }).pipe(Effect.retry(Schedule.spaced("500 millis")))

        const begin = yield* Clock.currentTimeMillis
        const rounds = Math.ceil(deliveries / audience)
        const telling = yield* Effect.forkScoped(
          Effect.forEach(Array.from({ length: rounds }), (_, round) => broadcast(round), { discard: true })
        )

        // One node after the other dies in the middle of its work, when about a quarter more is done each time.
        for (let kill = 0; kill < kills; kill++) {
          const wanted = (deliveries * (kill + 1)) / (kills + 2)
          yield* Effect.repeat(
            Effect.sync(() => mail.accepted.size),
            { until: (size) => size >= wanted, schedule: Schedule.spaced("20 millis") }
          )
          const index = Math.floor(random() * nodes.length)
          const node = nodes[index]
          if (node === undefined) continue
          yield* node.running.kill("SIGKILL")
          yield* node.running.exit
          yield* Scope.close(node.scope, Exit.void)
          nodes[index] = yield* startNode(node.index, node.port, node.nodePort)
        }
        yield* Effect.retry(
          Effect.flatMap(within(stateCounts), (counts) => {
            const all = counts.reduce((sum, { count }) => sum + count, 0)
            return all === rounds * audience && openOf(counts) === 0 ? Effect.void : Effect.fail("open" as const)
          }),
          Schedule.spaced("500 millis")
        )
        const seconds = ((yield* Clock.currentTimeMillis) - begin) / 1_000
        assert.isTrue(telling.pollUnsafe() !== undefined)

        const counts = Object.fromEntries((yield* within(stateCounts)).map(({ count, state }) => [state, count]))
        const rows = yield* within(
          Effect.flatMap(
            SqlClient,
            (sql) => sql<{
              id: string
              state: string
              attempts: number
              failures: number
              reason: string | null
              detail: string | null
              tries: number
              notification_id: string
            }>`
              select d.id, d.state, d.attempts, d.failures, d.notification_id, d.reason, d.detail,
                (select count(*)::int from delivery_attempts a where a.delivery_id = d.id) as tries
              from deliveries d`
          )
        )
        const reconciled = yield* call(nodes[0]?.running.url ?? "", "/api/v1/deliveries/reconciliation", {
          token: service
        })
        const requests = [...mail.asked.values()].reduce((sum, count) => sum + count, 0)
        const twice = [...mail.accepted.values()].filter((count) => count > 1).length
        yield* Effect.logInfo({
          deliveries: rows.length,
          counts,
          requests,
          twice,
          kills,
          seconds: Math.round(seconds),
          perSecond: Math.round(rows.length / seconds)
        })

        assert.strictEqual(new Set(rows.map((row) => row.notification_id)).size, rounds * audience)
        assert.strictEqual(rows.length, rounds * audience)
        for (const row of rows) {
          assert.include(["sent", "dead"], row.state)
          assert.isAtMost(mail.asked.get(row.id) ?? 0, row.attempts, `${row.id} was shown more often than attempted`)
          assert.isAtMost(row.tries, row.attempts)
          if (row.state === "sent") assert.isAtLeast(mail.accepted.get(row.id) ?? 0, 1)
          else assert.isAtLeast(row.failures, 5, JSON.stringify(row))
        }
        assert.deepStrictEqual(reconciled.body.data, {
          open: 0,
          unplanned: 0,
          overdue: 0,
          stray_items: 0,
          contradictions: 0
        })
      }).pipe(Effect.scoped),
    1_800_000
  )
})
