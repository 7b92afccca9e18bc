import { expect, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { TenantId } from "@beckon/domain/Identifiers"
import { TooManyRequests } from "@beckon/domain/Problem"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import { BulkUploads } from "../../src/bulk/BulkUploads.ts"
import { keyOf } from "../../src/bulk/UploadKey.ts"
import * as CurrentCall from "../../src/http/CurrentCall.ts"
import { bytesOf, layer, lease, options, request, takeRows, upload } from "./UploadServices.ts"

const tenant = TenantId.make("acme")

const rowsOf = (count: number, from = 1): string =>
  Array.from({ length: count }, (_, index) => `u${from + index},Name ${from + index}\n`).join("")

const batches = Effect.flatMap(BatchStore, (store) => store.list(tenant, { limit: 100 }))

it.layer(layer)("uploads", (it) => {
  it.effect("is one batch of chunks of 1,000 rows, each row once and with its number", () =>
    Effect.gen(function* () {
      const { batch, sha256 } = yield* upload(`user_id,name\n${rowsOf(2_500)}`)
      expect(batch).toMatchObject({ state: "running", kind: "csv", chunks: 3, lastChunk: 3 })
      expect(batch.counts).toMatchObject({ total: 2_500, pending: 2_500, invalid: 0 })
      expect(sha256).toBe(
        createHash("sha256")
          .update(`user_id,name\n${rowsOf(2_500)}`)
          .digest("hex")
      )
      const chunks = yield* takeRows
      expect(chunks.map(({ length }) => length)).toEqual([1_000, 1_000, 500])
      expect(chunks.flat().map(({ row, userId }) => [row, userId])).toEqual(
        Array.from({ length: 2_500 }, (_, index) => [index + 1, `u${index + 1}`])
      )
    })
  )

  it.effect("sends nothing before it is whole", () =>
    Effect.gen(function* () {
      const { begin } = yield* BulkUploads
      const begun = yield* begin(options())
      yield* begun.feed(bytesOf(`user_id\n${rowsOf(1_500).replaceAll(/,.*/g, "")}`))
      expect(yield* takeRows).toEqual([])
      yield* begun.finish
      expect((yield* takeRows).flat()).toHaveLength(1_500)
    }).pipe(Effect.scoped)
  )

  it.effect("that breaks off has failed, and nothing of it is sent", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { begin } = yield* BulkUploads
      const begun = yield* Scope.provide(begin(options({ fileName: "cut.csv" })), scope)
      yield* begun.feed(bytesOf(`user_id,name\n${rowsOf(2_000)}`))
      yield* Scope.close(scope, Exit.void)
      const [cut] = yield* batches
      expect(cut).toMatchObject({ name: "cut.csv", state: "failed", reason: "The upload broke off." })
      expect(yield* takeRows).toEqual([])
    })
  )

  it.effect("of a node that died is given up when its lease ends, and a slow one is not", () =>
    Effect.gen(function* () {
      const store = yield* BatchStore
      const scope = yield* Scope.make()
      const { begin } = yield* BulkUploads
      const slow = yield* Scope.provide(begin(options({ fileName: "slow.csv" })), scope)
      yield* slow.feed(bytesOf("user_id\nu1\n"))
      for (let thirds = 0; thirds < 12; thirds += 1) {
        yield* TestClock.adjust(Duration.times(lease, 1 / 3))
        // The clock's fiber has written when the database has answered another statement.
        yield* batches
      }
      expect(yield* store.expire(yield* DateTime.now, 10)).toEqual([])
      // As a killed process leaves it: nobody prolongs, nobody abandons.
      yield* store.prolong(tenant, (yield* batches)[0]!.id, yield* DateTime.now)
      const [given] = yield* store.expire(yield* DateTime.now, 10)
      expect(given).toMatchObject({ name: "slow.csv", state: "failed" })
      expect(yield* Effect.flip(Effect.andThen(slow.feed(bytesOf("u2\n")), slow.finish))).toMatchObject({
        _tag: "Conflict"
      })
      yield* Scope.close(scope, Exit.void)
      expect(yield* takeRows).toEqual([])
    })
  )

  it.effect("keeps refused rows with what is wrong, and sends the others", () =>
    Effect.gen(function* () {
      const store = yield* BatchStore
      const { batch } = yield* upload(
        'user_id,email,priority\nu1,ada@example.com,10\n,x@y.z,1\nu3,nobody,eleven\nu4,"a\u0000b",\nu5\n'
      )
      expect(batch.counts).toMatchObject({ total: 5, pending: 1, invalid: 4 })
      expect(yield* store.errors(tenant, batch.id, { limit: 10 })).toEqual([
        { row: 2, userId: null, field: "user_id", message: "it is empty", raw: ["", "x@y.z", "1"] },
        {
          row: 3,
          userId: "u3",
          field: "email, priority",
          message: "email: an address such as ada@example.com; priority: a whole number from 1 to 10",
          raw: ["u3", "nobody", "eleven"]
        },
        {
          row: 4,
          userId: "u4",
          field: "email",
          message: "an address such as ada@example.com",
          raw: ["u4", "a\ufffdb", ""]
        },
        { row: 5, userId: "u5", field: "", message: "3 fields, as the header has; it has 1", raw: ["u5"] }
      ])
      expect((yield* takeRows).flat()).toEqual([
        { row: 1, userId: "u1", to: { email: "ada@example.com" }, priority: 10 }
      ])
    })
  )

  it.effect("of nothing but refused rows is complete at once", () =>
    Effect.gen(function* () {
      const { batch } = yield* upload("user_id,email\nu1,x\nu2,y\n")
      expect(batch).toMatchObject({ state: "completed", counts: { total: 2, invalid: 2, pending: 0 } })
    })
  )

  it.effect("gives its rows the variables that fill the words, and none where nothing is filled", () =>
    Effect.gen(function* () {
      const file = "user_id,name\nu1,Ada\n"
      yield* upload(file, { request: request({ message: "Hi {{ name | upcase }}" }) })
      expect((yield* takeRows).flat()).toEqual([{ row: 1, userId: "u1", variables: { name: "Ada" } }])
      yield* upload(file)
      expect((yield* takeRows).flat()).toEqual([{ row: 1, userId: "u1" }])
    })
  )

  it.effect("is refused at its header, and leaves no batch", () =>
    Effect.gen(function* () {
      const before = (yield* batches).length
      const refused = (text: string, other: Record<string, unknown> = {}) =>
        Effect.map(Effect.flip(upload(text, { request: request(other) })), (error) =>
          "detail" in error ? error.detail : error._tag
        )
      expect(yield* refused("name\nx\n")).toMatch(/^header: a column user_id is needed/)
      expect(yield* refused("user_id,a\nu,1\n", { title: "{{b}}" })).toBe(
        "title: {{ b }} is no variable that a column gives"
      )
      expect(yield* refused("user_id,a\nu,1\n", { message: "{{ a | nonsense }}" })).toMatch(/^message: /)
      expect(yield* refused("user_id\nu1\n", { columns: { tel: "phone" } })).toBe(
        'columns: the file has no column "tel"'
      )
      expect(yield* refused("")).toBe("file: it is empty")
      expect(yield* refused("user_id\nu1\n", { template_code: "none" })).toBe("title: not together with template_code")
      const { title: _, ...rest } = request()
      const missing = Effect.flip(upload("user_id\nu1\n", { request: { ...rest, templateCode: "none" } }))
      expect(yield* missing).toMatchObject({ _tag: "Unprocessable", detail: expect.stringMatching(/^template_code: /) })
      expect(yield* batches).toHaveLength(before)
    })
  )

  it.effect("with a broken quote, no rows or another checksum sends nothing", () =>
    Effect.gen(function* () {
      const failed = (text: string, other: Record<string, unknown> = {}) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(upload(text, { request: request(other) }))
          const [batch] = yield* batches
          expect(batch?.state).toBe("failed")
          expect(yield* takeRows).toEqual([])
          expect(error).toMatchObject({ _tag: "Unprocessable", detail: batch?.reason })
          return batch?.reason
        })
      expect(yield* failed(`user_id,a\n${rowsOf(1_200)}u,"x`)).toMatch(/^file: line 1202: a quote is opened/)
      expect(yield* failed("user_id\n")).toBe("file: it has no rows behind its header")
      expect(yield* failed("user_id\nu1\n", { sha256: "0".repeat(64) })).toMatch(/^sha256: the file that came has /)
    })
  )

  const file = "user_id\nu1\n"
  const checksum = createHash("sha256").update(file).digest("hex")

  it.effect("under a key makes one batch, however often it comes", () =>
    Effect.gen(function* () {
      const asked = request({ sha256: checksum })
      for (const header of ['"k1"', undefined]) {
        const key = yield* keyOf("shop", header, asked)
        const { batch } = yield* upload(file, { request: asked, key })
        const again = yield* Effect.flip(upload(file, { request: asked, key }))
        expect(again).toMatchObject({ _tag: "UploadKnown", batch: { id: batch.id } })
        expect((yield* takeRows).flat()).toHaveLength(1)
      }
    })
  )

  it.effect(
    "under a key is told when it is still coming in, or was another one, and may come again when it failed",
    () =>
      Effect.gen(function* () {
        const said = request({ sha256: checksum })
        const key = yield* keyOf("shop", "k2", said)
        const scope = yield* Scope.make()
        const first = yield* Scope.provide((yield* BulkUploads).begin(options({ key, request: said })), scope)
        yield* first.feed(bytesOf(file))
        expect(yield* Effect.flip(upload(file, { key, request: said }))).toMatchObject({ _tag: "Conflict" })
        yield* Scope.close(scope, Exit.void)
        expect(yield* Effect.flip(upload(file, { key, request: request({ title: "Other" }) }))).toMatchObject({
          _tag: "Unprocessable",
          detail: "Idempotency-Key: it was used for another upload"
        })
        const { batch } = yield* upload(file, { key, request: said })
        expect(yield* Effect.flip(upload(file, { key, request: said }))).toMatchObject({
          _tag: "UploadKnown",
          batch: { id: batch.id }
        })
        expect((yield* takeRows).flat()).toHaveLength(1)
      })
  )

  it.effect("has a key that is the caller's own, quoted or bare, and no key without a checksum", () =>
    Effect.gen(function* () {
      const said = request({ sha256: checksum })
      const of = (caller: string, header: string) => Effect.map(keyOf(caller, header, said), (key) => key?.requestId)
      expect(yield* of("a", '"k"')).toBe(yield* of("a", "k"))
      expect(yield* of("a", "k")).not.toBe(yield* of("b", "k"))
      expect(yield* keyOf("a", undefined, request())).toBeUndefined()
      // Another file under the same key would pass for the first one.
      expect(yield* Effect.flip(keyOf("a", "k", request()))).toMatchObject({ _tag: "Unprocessable" })
    })
  )

  it.effect("counts its rows as calls: where a call would be refused the upload waits, and goes on", () =>
    Effect.gen(function* () {
      const charged = Array<number>()
      const refusals = { left: 2 }
      const call = CurrentCall.make({} as never, { address: null, correlationId: null, traceparent: null })
      call.charge = (tokens) =>
        Effect.suspend(() => {
          if (charged.length === 1 && refusals.left > 0) {
            refusals.left -= 1
            call.headers["retry-after"] = "7"
            return Effect.fail(new TooManyRequests({ detail: "wait" }))
          }
          charged.push(tokens)
          return Effect.void
        })
      const uploading = yield* Effect.forkChild(
        Effect.provideService(upload(`user_id,name\n${rowsOf(2_200)}bad\n`), CurrentCall.CurrentCall, call)
      )
      while (refusals.left > 1) yield* batches
      expect(charged).toEqual([1_000])
      yield* TestClock.adjust("7 seconds")
      while (refusals.left > 0) yield* batches
      yield* TestClock.adjust("7 seconds")
      const exit = uploading.pollUnsafe()
      expect(exit === undefined || Exit.isSuccess(exit)).toBe(true)
      while (uploading.pollUnsafe() === undefined) yield* batches
      expect(charged).toEqual([1_000, 1_000, 200])
      expect(call.headers).toEqual({})
      expect((yield* takeRows).flat()).toHaveLength(2_200)
    })
  )
})
