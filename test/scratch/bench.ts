import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { deliveryChannels } from "@beckon/domain/Delivery"
import { layerEmbedded, layerServer } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import * as SqlDeliveryStore from "@beckon/infra/postgres/SqlDeliveryStore"
import { DateTime, Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CurrentTransformer } from "effect/sql/Statement"
import { startPostgres } from "../../packages/infra/test/postgres/PostgresProcess.ts"
import * as Fs from "node:fs"

const kind = process.argv[2] ?? "pg"
const closed = Number(process.argv[3] ?? 950_000)
const dueN = Number(process.argv[4] ?? 40_000)
const workers = (process.argv[5] ?? "1,3").split(",").map(Number)

const ticks = (pid: number): number => {
  const all = Fs.readdirSync("/proc").filter((n) => /^\d+$/.test(n))
  let sum = 0
  for (const n of all) {
    try {
      const s = Fs.readFileSync(`/proc/${n}/stat`, "utf8")
      const f = s.slice(s.lastIndexOf(")") + 2).split(" ")
      if (Number(n) === pid) sum += Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14])
      else if (Number(f[1]) === pid) sum += Number(f[11]) + Number(f[12])
    } catch {}
  }
  return sum * 10
}

const seed = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql.unsafe(`insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, push, created_at)
    select 't' || n % 20, 'user-' || n % 20000, n / 20000 + 1, 'n-' || n, 'order_created', 'New Order', 'Order #' || n || ' is 2.4km away. Accept now! It is waiting for you at the restaurant.', 'medium', 'fallback', now() from generate_series(0, ${closed + dueN * 2 - 1}) n`)
  yield* sql.unsafe(`insert into mailboxes (tenant_id, user_id, epoch) select distinct 't' || n % 20, 'user-' || n % 20000, 'e' from generate_series(0, 19999) n`)
  yield* sql.unsafe(`insert into deliveries (id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at, created_at, updated_at, attempts)
    select gen_random_uuid()::text, 't' || n % 20, 'user-' || n % 20000, 'n-' || n, n / 20000 + 1, (array['push','email','sms','whatsapp','webhook'])[1 + n % 5], '{"_tag":"User"}', 'unacknowledged',
    (array['sent','delivered','seen','skipped','dead'])[1 + n % 5], (array[2,5,5,8])[1+n%4], now() - n * interval '1 ms', now(), now(), 1 from generate_series(0, ${closed - 1}) n`)
  yield* sql.unsafe(`insert into deliveries (id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at, created_at, updated_at)
    select gen_random_uuid()::text, 't' || n % 20, 'user-' || n % 20000, 'n-' || n, n / 20000 + 1, (array['push','email','sms','whatsapp','webhook'])[1 + n % 5], '{"_tag":"User"}', 'unacknowledged',
    'pending', (array[2,5,5,8,10])[1+n%5], case when n % 10 = 0 then now() + interval '1 hour' else now() - n * interval '1 ms' end, now(), now() from generate_series(${closed}, ${closed + dueN - 1}) n`)
  yield* sql`analyze`
})

const explain = Effect.gen(function* () {
  const sql = yield* SqlClient
  const store = yield* DeliveryStore
  const seen = new Map<string, readonly [string, ReadonlyArray<unknown>]>()
  const now = yield* DateTime.now
  yield* store.claim({ channels: deliveryChannels, limit: 500, now, lease: Duration.minutes(1), worker: "w" }).pipe(
    Effect.provideService(CurrentTransformer, (statement) => Effect.sync(() => { const [t, p] = statement.compile(); seen.set(t, [t, p]); return statement }))
  )
  for (const [t, p] of seen.values()) {
    const rows = yield* sql.unsafe(`explain (analyze, buffers, costs off, timing off) ${t}`, p).unprepared
    console.log(rows.map((r) => Object.values(r)[0]).join("\n"))
    console.log("-----")
  }
})

const bench = (workerCount: number, rounds: number, batch: number, pid: number | undefined) => Effect.gen(function* () {
  const store = yield* DeliveryStore
  const now = yield* DateTime.now
  let claimed = 0
  let claimMs = 0
  let claims = 0
  let reportMs = 0
  const claimTimes: number[] = []
  const one = (w: number) => Effect.gen(function* () {
    for (let i = 0; i < rounds; i++) {
      const a = performance.now()
      const got = yield* store.claim({ channels: deliveryChannels, limit: batch, now, lease: Duration.minutes(60), worker: `w${w}` })
      const b = performance.now()
      yield* store.report(got.map((c) => ({ id: c.delivery.id, attempt: c.attempt, attempts: [{ provider: "fcm", outcome: "sent" as const, code: null, detail: null, durationMs: 3, at: now }], result: { _tag: "Sent" as const, provider: "fcm", providerMessageId: `m-${c.delivery.id}` } })), now)
      const c = performance.now()
      claimed += got.length; claims++; claimMs += b - a; reportMs += c - b; claimTimes.push(b - a)
    }
  })
  const cpu0 = process.cpuUsage(); const db0 = pid === undefined ? 0 : ticks(pid)
  const t0 = performance.now()
  yield* Effect.forEach(Array.from({ length: workerCount }, (_, i) => i), one, { concurrency: "unbounded", discard: true })
  const ms = performance.now() - t0
  const cpu = process.cpuUsage(cpu0); const db = pid === undefined ? 0 : ticks(pid) - db0
  claimTimes.sort((a, b) => a - b)
  console.log(`${kind} workers=${workerCount} batch=${batch}: ${claimed} deliveries in ${ms.toFixed(0)} ms = ${(claimed / ms * 1000).toFixed(0)}/s; claim avg ${(claimMs / claims).toFixed(1)} median ${claimTimes[claimTimes.length >> 1]?.toFixed(1)} max ${claimTimes.at(-1)?.toFixed(1)} ms, report avg ${(reportMs / claims).toFixed(1)} ms; per 500: node ${((cpu.user + cpu.system) / 1000 / claimed * 500).toFixed(1)} ms, db ${(db / claimed * 500).toFixed(1)} ms`)
})

const program = (pid: number | undefined) => Effect.gen(function* () {
  yield* runMigrations(migrations)
  const t = performance.now()
  yield* seed
  console.log("seeded", ((performance.now() - t) / 1000).toFixed(1), "s")
  if (process.argv[6] === "explain") yield* explain
  yield* bench(1, 3, 500, pid)
  for (const w of workers) yield* bench(w, Math.floor(12 / w), 500, pid)
  yield* bench(1, 30, 50, pid)
  const store = yield* DeliveryStore
  for (const [name, effect] of [["reconcile", store.reconcile(yield* DateTime.now, Duration.minutes(5))], ["counts", store.counts("t1" as never)]] as const) {
    const a = performance.now()
    const r = yield* effect as Effect.Effect<unknown>
    console.log(name, (performance.now() - a).toFixed(0), "ms", JSON.stringify(r))
  }
})

const store = SqlDeliveryStore.layer({ announceToBus: false })
const main = kind === "pg"
  ? Effect.scoped(Effect.flatMap(startPostgres, (server) => program(server.processId).pipe(Effect.provide(store.pipe(Layer.provideMerge(layerServer({ url: server.url, maxConnections: 10 })))))))
  : program(undefined).pipe(Effect.provide(store.pipe(Layer.provideMerge(layerEmbedded({ dataDir: "memory" })))))
await Effect.runPromise(main as Effect.Effect<void>)
process.exit(0)
