import { PersonalData } from "@beckon/domain/ports/PersonalData"
import { RetentionStore } from "@beckon/domain/ports/RetentionStore"
import { idBefore } from "@beckon/domain/TimeOrderedId"
import { parts } from "@beckon/infra/postgres/SqlPersonalData"
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import type { Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { freshTenant, hoursAfterNoon, noon, user } from "./Fixtures.ts"

type Needs = PersonalData | RetentionStore | SqlClient

let ordinal = 0

/** One row of this user in every table that has some of his. */
const fill = Effect.fnUntraced(function* (key: MailboxKey, notifications = 1) {
  const sql = yield* SqlClient
  const { tenantId, userId } = key
  const id = `${tenantId}-${userId}-${++ordinal}`
  yield* sql`insert into users (tenant_id, user_id, name, updated_at) values (${tenantId}, ${userId}, 'Name', now())`
  yield* sql`insert into preferences values (${tenantId}, ${userId}, '{}', now())`
  yield* sql`insert into devices (tenant_id, user_id, platform, token_hash, token_sealed, key_id, registered_at)
    values (${tenantId}, ${userId}, 'ios', ${id}::text::bytea, 'sealed-token'::bytea, 'k', now())`
  yield* sql`insert into mailboxes (tenant_id, user_id, epoch) values (${tenantId}, ${userId}, 'e')`
  yield* sql`insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, push, created_at)
    select ${tenantId}, ${userId}, n, ${id} || '-' || n, 't', 'Title', 'Body', 'low', 'never', now() from generate_series(1, ${notifications}) n`
  yield* sql`insert into scheduled_notifications values (${tenantId}, ${id}, ${userId}, '{}', null, null, now(), now(), now())`
  yield* sql`insert into deliveries (id, tenant_id, user_id, channel, target, condition, state, urgency, due_at, created_at, updated_at)
    values (${id}, ${tenantId}, ${userId}, 'email', '{"_tag": "User"}', 'always', 'sent', 5, now(), now(), now())`
  yield* sql`insert into delivery_attempts (delivery_id, attempt, ordinal, provider, outcome, duration_ms, at) values (${id}, 1, 0, 'smtp', 'sent', 1, now())`
  yield* sql`insert into delivery_events values ('smtp', ${id}, ${id}, null, 'delivered', 'ok', null, now(), now())`
  yield* sql`insert into delivery_items values (${tenantId}, ${id}, 'email', ${id}, ${userId}, 1, null)`
  yield* sql`insert into delivery_throttles values (${tenantId}, ${userId}, 'k', now(), now(), 1)`
  yield* sql`insert into batches (tenant_id, id, kind, state, active, content, digest, created_by, created_at, updated_at, served_at)
    values (${tenantId}, ${id}, 'batch', 'running', true, '{}', 'd', 'x', now(), now(), now())`
  const waiting = [
    { row: 1, userId: "other" },
    { row: 2, userId, variables: { name: "Private" } },
    { row: 3, userId: "other" }
  ]
  yield* sql`insert into batch_chunks (tenant_id, batch_id, number, digest, rows, row_count, due_at, claims)
    values (${tenantId}, ${id}, 1, 'd', ${JSON.stringify(waiting)}::text::jsonb, 3, now(), 4)`
  yield* sql`insert into idempotency_keys (tenant_id, caller, key, fingerprint, claim, sealed, expires_at)
    values (${tenantId}, ${`user:${userId}`}, ${id}, 'f', 'c', 'sealed-answer'::bytea, now())`
  yield* sql`insert into batch_errors values (${tenantId}, ${id}, 7, ${userId}, 'email', 'no address', '{}')`
  yield* sql`insert into tracking_grants values (${tenantId}, ${`${id}-1`}, ${userId}, 'd', now(), now()), (${tenantId}, ${`${id}-2`}, 'c', ${userId}, now(), now())`
  yield* sql`insert into friendships (tenant_id, id, requester_id, recipient_id, status, created_at)
    values (${tenantId}, ${`${id}-asked`}, ${userId}, ${`of-${userId}`}, 'PENDING', now()), (${tenantId}, ${`${id}-was-asked`}, ${`to-${userId}`}, ${userId}, 'REJECTED', now())`
})

const countsOf = Effect.fnUntraced(function* (key: MailboxKey) {
  const counts: Record<string, number> = {}
  yield* Stream.runForEach((yield* PersonalData).export(key), ({ part }) =>
    Effect.sync(() => {
      counts[part] = (counts[part] ?? 0) + 1
    })
  )
  return counts
})

const everything = {
  users: 1,
  preferences: 1,
  devices: 1,
  mailboxes: 1,
  notifications: 1,
  scheduled_notifications: 1,
  deliveries: 1,
  delivery_throttles: 1,
  batch_chunks: 1,
  idempotency_keys: 1,
  batch_errors: 1,
  friendships: 2,
  tracking_grants: 2
}

/** What is kept of one user, and what leaves by age. */
export const personalDataContract = <R extends Needs, E>(provider: string, stores: Layer.Layer<Needs | R, E>) => {
  layer(stores, { timeout: "60 seconds" })(`what ${provider} keeps of users`, (it) => {
    it.effect("every table with users in it is exported and erased", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const tables = yield* sql<{ name: string }>`
          select distinct c.relname::text as name from pg_class c
          join pg_namespace n on n.oid = c.relnamespace and n.nspname = current_schema()
          join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
          where c.relkind = 'r' and a.attname in ('user_id', 'requester_id', 'customer_id', 'driver_id')`
        const known = parts.flatMap(({ table, within = [] }) => [table, ...within.map(([, other]) => other)])
        assert.includeMembers(
          known,
          tables.map(({ name }) => name)
        )
      })
    )

    it.effect("an export has all of one user, without his secrets, and nothing of others", () =>
      Effect.gen(function* () {
        const tenantId = freshTenant()
        const ada = { tenantId, userId: user("ada") }
        yield* fill(ada, 450)
        yield* fill({ tenantId, userId: user("bob") })
        yield* fill({ tenantId: freshTenant(), userId: user("ada") })
        assert.deepStrictEqual(yield* countsOf(ada), { ...everything, notifications: 450 })
        const rows = yield* Stream.runCollect((yield* PersonalData).export(ada))
        const text = JSON.stringify(rows)
        for (const secret of [
          "token_sealed",
          "token_hash",
          "7365616c65642d746f6b656e",
          "sealed",
          "other",
          "bob",
          "tenant_id"
        ]) {
          assert.notInclude(text, secret)
        }
        assert.deepStrictEqual(
          rows.flatMap(({ part, row }) =>
            part === "notifications" && typeof row === "object" && row !== null && "seq" in row ? [row["seq"]] : []
          ),
          Array.from({ length: 450 }, (_, index) => index + 1)
        )
        assert.include(text, "Private")
        const delivery = rows.find(({ part }) => part === "deliveries")?.row
        assert.nestedPropertyVal(delivery, "attempts_made[0].provider", "smtp")
        assert.nestedPropertyVal(delivery, "events[0].code", "ok")
        assert.nestedPropertyVal(delivery, "gathered[0].channel", "email")
      })
    )

    it.effect("erasing leaves others alone, and can be done again", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const personal = yield* PersonalData
        const tenantId = freshTenant()
        const [ada, bob] = [user("ada"), user("bob")].map((userId) => ({ tenantId, userId }))
        assert(ada !== undefined && bob !== undefined)
        yield* fill(ada)
        yield* fill(bob)
        const { mailboxes: _, notifications: __, ...others } = everything
        assert.deepStrictEqual(yield* personal.erase(ada), others)
        assert.deepStrictEqual(yield* personal.erase(ada), {})
        assert.deepStrictEqual(yield* countsOf(ada), { mailboxes: 1, notifications: 1 })
        assert.deepStrictEqual(yield* countsOf(bob), everything)
        const left = yield* sql<{ left: bigint }>`
          select (select count(*) from delivery_attempts where delivery_id like ${`${tenantId}-%`})
            + (select count(*) from delivery_events where delivery_id like ${`${tenantId}-%`})
            + (select count(*) from delivery_items where tenant_id = ${tenantId}) as left`
        assert.strictEqual(Number(left[0]?.left), 3)
      })
    )

    it.effect(
      "a row of a batch that is still to be sent keeps its place and nothing else, and its worker loses it",
      () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient
          const ada = { tenantId: freshTenant(), userId: user("ada") }
          yield* fill(ada)
          yield* (yield* PersonalData).erase(ada)
          const chunks =
            yield* sql`select rows, claims, mark, row_count from batch_chunks where tenant_id = ${ada.tenantId}`
          assert.deepStrictEqual(chunks, [
            {
              rows: [
                { row: 1, userId: "other" },
                { row: 2, userId: "", isErased: true },
                { row: 3, userId: "other" }
              ],
              claims: 5,
              mark: 0,
              row_count: 3
            }
          ])
        })
    )

    it.effect("deliveries, batches and audit entries leave by age when they are at their end", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const store = yield* RetentionStore
        const [tenantId, other] = [freshTenant(), freshTenant()]
        const idAt = (hours: number, name: string) => idBefore(hoursAfterNoon(hours)).slice(0, 13) + `-${name}`
        for (const [tenant, hours, state] of [
          [tenantId, 0, "sent"],
          [tenantId, 0, "pending"],
          [tenantId, 1, "dead"],
          [tenantId, 5, "sent"],
          [other, 0, "sent"]
        ] as const) {
          const id = idAt(hours, `${tenant}-${state}`)
          yield* sql`insert into deliveries (id, tenant_id, channel, target, condition, state, urgency, due_at, created_at, updated_at)
            values (${id}, ${tenant}, 'email', '{}', 'always', ${state}, 5, now(), now(), now())`
          yield* sql`insert into delivery_attempts (delivery_id, attempt, ordinal, provider, outcome, duration_ms, at) values (${id}, 1, 0, 'smtp', 'sent', 1, now())`
        }
        const sweep = (kept: "deliveries" | "batches" | "audit", limit = 100) =>
          store.sweep(tenantId, kept, hoursAfterNoon(5), limit)
        assert.strictEqual(yield* sweep("deliveries", 1), 1)
        assert.strictEqual(yield* sweep("deliveries"), 1)
        assert.strictEqual(yield* sweep("deliveries"), 0)
        const left = yield* sql<{ id: string }>`
          select d.id from deliveries d join delivery_attempts a on a.delivery_id = d.id
          where d.tenant_id in (${tenantId}, ${other}) order by d.id`
        assert.sameMembers(
          left.map(({ id }) => id),
          [idAt(0, `${tenantId}-pending`), idAt(5, `${tenantId}-sent`), idAt(0, `${other}-sent`)]
        )

        for (const [hours, isFinished] of [
          [0, true],
          [1, false],
          [6, true]
        ] as const) {
          const id = idAt(hours, "batch")
          yield* sql`insert into batches (tenant_id, id, kind, state, active, content, digest, created_by, created_at, updated_at, served_at, finished_at)
            values (${tenantId}, ${id}, 'csv', ${isFinished ? "completed" : "running"}, ${!isFinished}, '{}', 'd', 'x', now(), now(), now(), ${isFinished ? "2026-01-01" : null}::timestamptz)`
          yield* sql`insert into batch_chunks (tenant_id, batch_id, number, digest, row_count) values (${tenantId}, ${id}, 1, 'd', 1)`
          yield* sql`insert into batch_errors values (${tenantId}, ${id}, 1, null, 'f', 'm', null)`
        }
        // Its error and its chunk first, then the batch itself.
        assert.strictEqual(yield* sweep("batches"), 2)
        assert.strictEqual(yield* sweep("batches"), 1)
        assert.strictEqual(yield* sweep("batches"), 0)
        const batches = yield* sql<{ left: bigint }>`
          select (select count(*) from batches where tenant_id = ${tenantId}) * 100
            + (select count(*) from batch_chunks where tenant_id = ${tenantId}) * 10
            + (select count(*) from batch_errors where tenant_id = ${tenantId}) as left`
        assert.strictEqual(Number(batches[0]?.left), 222)

        for (const hours of [0, 1, 6]) {
          yield* sql`insert into audit_log (tenant_id, id, at, actor_kind, actor_id, actor_roles, action, target)
            values (${tenantId}, ${idAt(hours, "entry")}, now(), 'user', 'ada', '{}', 'a.b', 't')`
        }
        assert.strictEqual(yield* sweep("audit"), 2)
        assert.strictEqual(yield* sweep("audit"), 0)
      })
    )

    it.effect("a duty is one node's until it ends", () =>
      Effect.gen(function* () {
        const store = yield* RetentionStore
        const name = `duty-${freshTenant()}`
        const hour = Duration.hours(1)
        const taken = yield* Effect.all(
          Array.from({ length: 8 }, () => store.takeDuty(name, noon, hour)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(taken.filter(Boolean), [true])
        assert.isFalse(yield* store.takeDuty(name, hoursAfterNoon(0.5), hour))
        assert.isTrue(yield* store.takeDuty(name, hoursAfterNoon(1), hour))
      })
    )
  })
}
