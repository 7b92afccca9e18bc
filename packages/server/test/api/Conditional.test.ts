/**
 * Templates and preferences have versions: read once, and changed only by whoever has seen what is there.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { MeApi } from "@beckon/domain/api/MeApi"
import { TemplateApi } from "@beckon/domain/api/TemplateApi"
import * as MemoryDeviceStore from "@beckon/infra/memory/MemoryDeviceStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import * as MeHandlers from "../../src/api/MeHandlers.ts"
import * as TemplateHandlers from "../../src/api/TemplateHandlers.ts"
import { Inbox } from "../../src/inbox/Inbox.ts"
import { Templates } from "../../src/templates/Templates.ts"
import * as Mailboxes from "../mailbox/Fixture.ts"
import { call, layerOf } from "./ApiServer.ts"

const api = HttpApi.make("beckon").add(MeApi).add(TemplateApi).middleware(HttpApiMiddleware.ProblemDetails)

const served = layerOf(api, Layer.merge(MeHandlers.layer, TemplateHandlers.layer)).pipe(
  Layer.provide([Inbox.layer, Templates.layer]),
  Layer.provide(Mailboxes.layer()),
  Layer.provide([
    MemoryDeviceStore.layer,
    MemoryPreferenceStore.layer,
    MemoryTemplateStore.layer,
    MemoryTopicBus.layer,
    LiquidRenderer.layer
  ])
)

const textOf = (message: string) => ({ texts: { default: { title: "Title", message } } })

const as = { role: "admin" }

layer(served, { excludeTestServices: true })("a template over HTTP", (it) => {
  const path = "/api/v1/admin/templates/welcome"
  const put = (message: string, ifMatch: string) =>
    call(path, { as, method: "PUT", body: textOf(message), headers: { "if-match": ifMatch } })

  it.effect("is changed by the one who has seen its active version, Beckon's own too", () =>
    Effect.gen(function* () {
      const own = (yield* call(path, { as })).headers["etag"] ?? ""
      assert.match(own, /^"0-[0-9a-z]+"$/)
      const first = yield* put("one", own)
      assert.strictEqual(first.status, 200)
      const tag = first.headers["etag"] ?? ""
      assert.match(tag, /^"1-[0-9a-z]+"$/)
      const late = yield* put("two", own)
      assert.strictEqual(late.status, 412)
      assert.strictEqual(late.body.type, "urn:beckon:problem:precondition-failed")
      assert.strictEqual((yield* call(path, { as })).body.data.texts.default.message, "one")
      assert.strictEqual((yield* call(path, { as, headers: { "if-none-match": tag } })).status, 304)
      assert.strictEqual((yield* put("three", tag)).body.data.version, 2)
      assert.strictEqual((yield* call(path, { as, headers: { "if-none-match": tag } })).status, 200)
      const draft = { ...textOf("four"), activate: false }
      const now = (yield* call(path, { as })).headers["etag"] ?? ""
      const added = yield* call(path, { as, method: "PUT", body: draft, headers: { "if-match": now } })
      assert.deepStrictEqual([added.status, added.body.data.version, added.headers["etag"]], [200, 3, undefined])
      assert.strictEqual((yield* call(path, { as })).headers["etag"], now)
    })
  )

  it.effect("is deleted by the one who has seen it, and one that is not there matches nothing", () =>
    Effect.gen(function* () {
      const gone = "/api/v1/admin/templates/gone"
      const remove = (ifMatch: string) => call(gone, { as, method: "DELETE", headers: { "if-match": ifMatch } })
      const made = yield* call(gone, { as, method: "PUT", body: textOf("a") })
      const tag = made.headers["etag"] ?? ""
      assert.strictEqual((yield* remove('"7-x"')).status, 412)
      assert.strictEqual((yield* remove("nonsense")).status, 400)
      assert.strictEqual((yield* remove(tag)).status, 204)
      assert.strictEqual((yield* remove(tag)).status, 412)
      for (const ifMatch of ["*", tag]) {
        const put = yield* call(gone, { as, method: "PUT", body: textOf("b"), headers: { "if-match": ifMatch } })
        assert.strictEqual(put.status, 412)
      }
      assert.strictEqual((yield* call(gone, { as })).status, 404)
      assert.strictEqual((yield* call(gone, { as, method: "DELETE" })).status, 404)
    })
  )

  it.effect("of ten who change the same version one succeeds", () =>
    Effect.gen(function* () {
      const busy = "/api/v1/admin/templates/busy"
      const made = yield* call(busy, { as, method: "PUT", body: textOf("a") })
      const headers = { "if-match": made.headers["etag"] ?? "" }
      const answers = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, number) => number),
        (number) => call(busy, { as, method: "PUT", body: textOf(`n${number}`), headers }),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.filter(({ status }) => status === 200).length, 1)
      assert.strictEqual(answers.filter(({ status }) => status === 412).length, 9)
    })
  )
})

layer(served, { excludeTestServices: true })("preferences over HTTP", (it) => {
  const path = "/api/v1/users/me/preferences"
  const ada = { user: "ada" }

  it.effect("are changed by the one who has seen them, whatever the order of their names", () =>
    Effect.gen(function* () {
      const read = yield* call(path, { as: ada })
      const tag = read.headers["etag"] ?? ""
      assert.match(tag, /^"[\w-]{22}"$/)
      const put = (body: unknown, ifMatch: string) =>
        call(path, { as: ada, method: "PUT", body, headers: { "if-match": ifMatch } })
      const first = yield* put({ channels: { email: false, push: true }, muted_types: [] }, tag)
      assert.strictEqual(first.status, 200, first.text)
      const next = first.headers["etag"] ?? ""
      assert.notStrictEqual(next, tag)
      assert.strictEqual((yield* call(path, { as: ada })).headers["etag"], next)
      assert.strictEqual((yield* put({ channels: {}, muted_types: [] }, tag)).status, 412)
      assert.deepStrictEqual((yield* call(path, { as: ada })).body.data.channels, { email: false, push: true })
      const same = yield* put({ muted_types: [], channels: { push: true, email: false } }, next)
      assert.strictEqual(same.headers["etag"], next)
      assert.strictEqual((yield* call(path, { as: ada, headers: { "if-none-match": next } })).status, 304)
      assert.strictEqual((yield* put({ channels: {}, muted_types: [] }, "*")).status, 200)
      assert.strictEqual((yield* put({ channels: {}, muted_types: [] }, "x")).status, 400)
    })
  )
})
