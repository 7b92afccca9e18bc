import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option } from "effect"
import { NotificationStore, SeqConflict, StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import { DeliveryTiming } from "../../src/mailbox/DeliveryTiming.ts"
import { GroupCommit } from "../../src/mailbox/GroupCommit.ts"
import type { Submission } from "../../src/mailbox/GroupCommit.ts"
import { MailboxSettings } from "../../src/mailbox/MailboxSettings.ts"
import { draft, keyOf } from "./Fixture.ts"
import type { Store } from "./Fixture.ts"

/** The group commit over a memory store whose calls the test counts and spoils. */
const layer = (spoil: (store: Store) => Partial<Store> = () => ({})) =>
  GroupCommit.layer.pipe(
    Layer.provideMerge(
      Layer.effect(
        NotificationStore,
        Effect.map(NotificationStore, (store) => ({ ...store, ...spoil(store) }))
      )
    ),
    Layer.provide(MemoryNotificationStore.layer),
    Layer.provide([MailboxSettings.layer(), DeliveryTiming.layerNone])
  )

/** One submission for each user, all at once. */
const submitAll = Effect.fnUntraced(function* (users: ReadonlyArray<string>, drafts = 2) {
  const store = yield* NotificationStore
  const { submit } = yield* GroupCommit
  const states = yield* store.load(users.map(keyOf))
  const submissions = users.flatMap((user, index): ReadonlyArray<Submission> => {
    const state = states[index]
    return state === undefined
      ? []
      : [{ key: keyOf(user), state, drafts: Array.from({ length: drafts }, () => draft(user)), online: false }]
  })
  return yield* Effect.forEach(submissions, (submission) => Effect.exit(submit(submission)), {
    concurrency: "unbounded"
  })
})

const users = Array.from({ length: 10 }, (_, index) => `user-${index}`)
const savedOf = (user: string) =>
  Effect.flatMap(NotificationStore, (store) =>
    Effect.map(store.list(keyOf(user), { status: "all", limit: 100 }), (rows) => rows.length)
  )

const errorOf = <A, E>(exit: Exit.Exit<A, E>) => Option.getOrUndefined(Exit.findErrorOption(exit))

describe("GroupCommit", () => {
  it.effect("saves what many mailboxes accepted in one insert", () => {
    const appends: Array<number> = []
    return Effect.gen(function* () {
      const exits = yield* submitAll(users)
      assert.isTrue(exits.every(Exit.isSuccess))
      assert.deepStrictEqual(appends, [20])
    }).pipe(
      Effect.provide(
        layer((store) => ({
          append: (rows) => {
            appends.push(rows.length)
            return store.append(rows)
          }
        }))
      )
    )
  })

  it.effect.each([
    ["refuses", Effect.fail(new StoreUnavailable({ operation: "append", cause: "invalid byte sequence" }))],
    ["conflicts on", Effect.fail(new SeqConflict())],
    ["dies of", Effect.die("a bug in the driver")]
  ] as const)("a mailbox whose rows the database %s costs the others nothing", ([, failure]) =>
    Effect.gen(function* () {
      const exits = yield* submitAll(users)
      exits.forEach((exit, index) => assert.strictEqual(Exit.isSuccess(exit), index !== 3, users[index]))
      for (const user of users) assert.strictEqual(yield* savedOf(user), user === "user-3" ? 0 : 2)
    }).pipe(
      Effect.provide(
        layer((store) => ({
          append: (rows) => (rows.some(({ userId }) => userId === "user-3") ? failure : store.append(rows))
        }))
      )
    )
  )

  it.effect("tells a mailbox whose numbers another owner has written of the conflict, and only that one", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const { submit } = yield* GroupCommit
      const states = yield* store.load(["ada", "bob"].map(keyOf))
      yield* submitAll(["ada"], 1)
      const [ada, bob] = yield* Effect.forEach(
        states.map((state, index) => ({ state, user: index === 0 ? "ada" : "bob" })),
        ({ state, user }) => Effect.exit(submit({ key: keyOf(user), state, drafts: [draft(user)], online: false })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(ada === undefined ? undefined : errorOf(ada)?._tag, "SeqConflict")
      assert.isTrue(bob !== undefined && Exit.isSuccess(bob))
      assert.deepStrictEqual([yield* savedOf("ada"), yield* savedOf("bob")], [1, 1])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("does not write again what may have been written: without a dedupe key the caller is told", () => {
    let appends = 0
    return Effect.gen(function* () {
      const store = yield* NotificationStore
      const { submit } = yield* GroupCommit
      const people = ["ada", "bob"]
      const states = yield* store.load(people.map(keyOf))
      const exits = yield* Effect.forEach(
        states,
        (state, index) => {
          const user = people[index] ?? ""
          const one = { ...draft(user), ...(user === "bob" ? { dedupeKey: "once" } : {}) }
          return Effect.exit(submit({ key: keyOf(user), state, drafts: [one], online: false }))
        },
        { concurrency: "unbounded" }
      )
      assert.strictEqual(exits[0] === undefined ? undefined : errorOf(exits[0])?._tag, "StoreUnavailable")
      assert.isTrue(exits[1] !== undefined && Exit.isSuccess(exits[1]) && exits[1].value[1].answers[0]?.duplicate)
      assert.deepStrictEqual([yield* savedOf("ada"), yield* savedOf("bob")], [1, 1])
    }).pipe(
      Effect.provide(
        layer((store) => ({
          // The connection breaks after the commit and before the answer.
          append: (rows) =>
            ++appends === 1
              ? Effect.andThen(
                  store.append(rows),
                  Effect.fail(new StoreUnavailable({ operation: "append", cause: "connection lost" }))
                )
              : store.append(rows)
        }))
      )
    )
  })

  it.effect("fails all soon when the store is down: it does not try each of them", () => {
    let tries = 0
    const many = Array.from({ length: 200 }, (_, index) => `user-${index}`)
    return Effect.gen(function* () {
      const exits = yield* submitAll(many)
      assert.isTrue(exits.every((exit) => errorOf(exit)?._tag === "StoreUnavailable"))
      assert.isAtMost(tries, 8)
    }).pipe(
      Effect.provide(
        layer(() => ({
          append: () => {
            tries += 1
            return Effect.fail(new StoreUnavailable({ operation: "append", cause: "connection refused" }))
          }
        }))
      )
    )
  })

  it.effect("makes one notification of a key that comes again, also across batches, for each user his own", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const { submit } = yield* GroupCommit
      const once = Effect.gen(function* () {
        const states = yield* store.load(["ada", "bob"].map(keyOf))
        return yield* Effect.forEach(
          states.map((state, index) => ({ state, key: keyOf(index === 0 ? "ada" : "bob") })),
          ({ key, state }) =>
            submit({
              key,
              state,
              drafts: [draft(key.userId, { dedupeKey: "k" }), draft(key.userId, { dedupeKey: "k" })],
              online: false
            }),
          { concurrency: "unbounded" }
        )
      })
      const answers = (yield* once).map(([, { answers }]) => answers.map(({ duplicate, seq }) => ({ duplicate, seq })))
      const made = [
        { duplicate: false, seq: 1 },
        { duplicate: true, seq: 1 }
      ]
      assert.deepStrictEqual(answers, [made, made])
      const again = (yield* once).flatMap(([state, { answers, rows }]) => [
        state.seq,
        rows.length,
        ...answers.map(({ duplicate }) => duplicate)
      ])
      assert.deepStrictEqual(again, [1, 0, true, true, 1, 0, true, true])
    }).pipe(Effect.provide(layer()))
  )
})
