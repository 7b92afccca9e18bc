/**
 * What the API document says, held against what the server does: every operation, carried out by its example.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { Example } from "@beckon/domain/api/Example"
import { examples } from "@beckon/domain/api/Examples"
import { json, Services } from "../deliveries/Services.ts"
import * as Calls from "./Calls.ts"
import { fetched } from "./Document.ts"
import type { Operation } from "./Document.ts"

/** Whose id is not in the path. */
const absent: Readonly<Record<string, Partial<Example>>> = {
  "lookupAdmin.remove": { path: { kind: "notification_types", code: "nobody-has-this" } },
  "friendships.respond": { body: { friendshipId: "nobody-has-this", responderId: "bea", accept: true } },
  "friendships.cancel": { body: { friendshipId: "nobody-has-this", requesterId: "ada" } },
  "batches.sendChunk": {
    body: { batch_id: "nobody-has-this", chunk_number: 1, recipients: [{ user_id: "ada" }], final: true }
  }
}

const patience = Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 200 }))

/** What an example needs that no other example does. */
const before = Effect.fnUntraced(function* (id: string, calls: Calls.Calls, operations: ReadonlyArray<Operation>) {
  const carryOut = (name: string, change = {}) =>
    Effect.gen(function* () {
      const operation = operations.find((one) => one.id === name)
      const example = examples[name]
      if (operation === undefined || example === undefined) return yield* Effect.die(`there is no ${name}`)
      return yield* calls.call(operation, { ...example, ...change })
    })
  if (id === "deadLetters.list") {
    const { twilio } = yield* Services
    twilio.moods.set("+4915100000000", json(400, { code: 21_610, message: "The recipient has unsubscribed" }))
    const body = { user_id: "dora", notification_type: "parcel", title: "Parcel", message: "Today." }
    yield* carryOut("notifications.send", { body: { ...body, channels: ["sms"], to: { phone: "+4915100000000" } } })
  }
  if (id === "tenants.remove") yield* carryOut("tenants.suspend")
  if (id === "friendships.cancel") {
    const answer = yield* carryOut("friendships.sendRequest", { body: { requesterId: "ada", recipientId: "carl" } })
    calls.values["cancelled_friendship_id"] = answer.body.friendshipId
  }
})

layer(Services.layer, { timeout: "120 seconds", excludeTestServices: true })("the API document", (it) => {
  it.effect(
    "says of every operation what the server answers to its example",
    () =>
      Effect.gen(function* () {
        const document = yield* fetched
        const calls = yield* Calls.start(Calls.shop)
        const faults: Array<string> = []
        for (const [id, example] of Object.entries(examples)) {
          const operation = document.operations.find((one) => one.id === id)
          if (operation === undefined) {
            faults.push(`${id}: there is no such operation`)
            continue
          }
          yield* before(id, calls, document.operations)
          // What is delivered in the background comes a moment later.
          let answer = yield* calls.call(operation, example)
          let missing = calls.learn(example, answer)
          const again = Effect.gen(function* () {
            answer = yield* calls.call(operation, example)
            missing = calls.learn(example, answer)
          })
          if (operation.method === "get" && missing.length > 0) {
            yield* Effect.repeat(again, { until: () => missing.length === 0, schedule: patience })
          }
          const fault =
            answer.status >= 300
              ? `answered ${answer.status} ${JSON.stringify(answer.body)}`
              : (document.faultOf(operation, answer) ??
                (missing.length === 0 ? undefined : `the answer lacks ${missing.join(", ")}`))
          const etag = answer.headers.get("etag")
          if (operation.method === "get" && etag !== null) {
            const again = yield* calls.call(operation, { ...example, headers: { "If-None-Match": etag } })
            const misfit = again.status === 304 ? document.faultOf(operation, again) : `answered ${again.status}`
            if (misfit !== undefined) faults.push(`${id} with what it has: ${misfit}`)
          }
          if (etag === null && "304" in operation.definition.responses) faults.push(`${id}: there is no ETag`)
          if (fault !== undefined) faults.push(`${id} (${operation.method} ${answer.target}): ${fault}`)
        }
        assert.deepStrictEqual(faults, [])
        const without = document.operations.flatMap(({ id }) => (examples[id] === undefined ? [id] : []))
        assert.deepStrictEqual(without, [])
      }),
    120_000
  )

  it.effect(
    "says of every operation how it refuses: who is nobody, who may not, what is not there, what is no request",
    () =>
      Effect.gen(function* () {
        const document = yield* fetched
        const calls = yield* Calls.start("refusals")
        const faults: Array<string> = []
        for (const operation of document.operations) {
          const example = examples[operation.id] ?? {}
          const { responses } = operation.definition
          const refuses = Effect.fnUntraced(function* (
            what: string,
            statuses: ReadonlyArray<number>,
            change: Partial<Example>,
            as?: string | null
          ) {
            const answer = yield* calls.call(operation, { ...example, ...change }, as)
            const fault = statuses.includes(answer.status)
              ? document.faultOf(operation, answer)
              : `answered ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`
            if (fault !== undefined) faults.push(`${operation.id}, ${what}: ${fault}`)
          })
          const isGuarded = example.as !== undefined
          if (isGuarded) {
            yield* refuses("without a token", [401], {}, null)
            yield* refuses("with a token of nobody", [401], {}, "nobody")
            yield* refuses("without the scope", [403], {}, calls.without(operation))
          }
          if (
            "404" in responses &&
            isGuarded &&
            !("delete" === operation.method && operation.path.endsWith("devices"))
          ) {
            const nowhere = Object.keys(example.path ?? {}).map((name) => [name, "nobody-has-this"])
            yield* refuses("of what is not there", [404], {
              path: Object.fromEntries(nowhere),
              ...absent[operation.id]
            })
          }
          if (operation.definition.requestBody !== undefined && isGuarded) {
            const contentType = example.text?.contentType ?? "application/json"
            yield* refuses("that is no JSON", [400, 422], { text: { contentType, body: '{"' } })
            yield* refuses("with another body", [400, 422], {
              text: { contentType, body: '["nothing of this"]' }
            })
          }
          if (operation.definition.parameters.some((one: { name: string }) => one.name === "limit")) {
            yield* refuses("with a wrong limit", [400, 422], { query: { limit: "0" } })
          }
          if (operation.definition.parameters.some((one: { name: string }) => one.name === "cursor")) {
            yield* refuses("with a cursor of nobody", [400, 422], { query: { cursor: "~" } })
          }
          if ("412" in responses) {
            const path = operation.id.startsWith("tenants.") ? { path: { id: "nobody-has-this" } } : {}
            const expected = operation.id.startsWith("tenants.") ? [404, 412] : [412]
            yield* refuses("with another version", expected, { ...path, headers: { "If-Match": '"0-other"' } })
            yield* refuses("with a version that is none", [400], { headers: { "If-Match": "none" } })
          }
          if (isGuarded && operation.method === "post") {
            yield* refuses("with a key that is none", [400], { headers: { "Idempotency-Key": '""' } })
          }
        }
        assert.deepStrictEqual(faults, [])
      }),
    120_000
  )
})
