import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { TemplateApi } from "@beckon/domain/api/TemplateApi"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import * as TemplateHandlers from "../../src/api/TemplateHandlers.ts"
import { Templates } from "../../src/templates/Templates.ts"
import { call, layerOf } from "./ApiServer.ts"

const api = HttpApi.make("beckon").add(TemplateApi).middleware(HttpApiMiddleware.ProblemDetails)

const served = layerOf(api, TemplateHandlers.layer).pipe(
  Layer.provide(Templates.layer),
  Layer.provide([MemoryTemplateStore.layer, MemoryTopicBus.layer, LiquidRenderer.layer])
)

const root = "/api/v1/admin/templates"
const texts = {
  default: { title: "Order {{ id }}", message: "Thank you", email: { html: "<p>{{ id }}</p>" } },
  de: { title: "Bestellung {{ id }}", message: "Danke" }
}
const variables = { type: "object", required: ["id"], properties: { id: { type: "string", maxLength: 10 } } }

layer(served, { excludeTestServices: true })("templates over HTTP", (it) => {
  it.effect("are made, changed, activated, previewed and removed", () =>
    Effect.gen(function* () {
      const as = { tenant: "shop" }
      const made = yield* call(root, { as, body: { code: "order", description: "Orders", texts, variables } })
      assert.strictEqual(made.status, 201)
      const { created_at, ...rest } = made.body.data
      assert.isString(created_at)
      assert.deepStrictEqual(rest, {
        code: "order",
        version: 1,
        built_in: false,
        description: "Orders",
        texts,
        variables
      })
      const twice = yield* call(root, { as, body: { code: "order", texts } })
      assert.deepStrictEqual([twice.status, twice.body.detail], [409, "code: There is a template order already"])

      const next = yield* call(`${root}/order`, {
        as,
        method: "PUT",
        body: { texts: { default: { title: "New {{ id }}", message: "" } }, activate: false }
      })
      assert.deepStrictEqual([next.status, next.body.data.version], [200, 2])
      assert.strictEqual((yield* call(`${root}/order`, { as })).body.data.version, 1)
      assert.strictEqual((yield* call(`${root}/order?version=2`, { as })).body.data.version, 2)
      const versions = yield* call(`${root}/order/versions`, { as })
      assert.deepStrictEqual(
        versions.body.data.map(({ version }: { version: number }) => version),
        [2, 1]
      )

      const preview = yield* call(`${root}/order/preview`, {
        as,
        body: { variables: { id: "<7>" }, language: "de-AT" }
      })
      assert.deepStrictEqual(preview.body.data, {
        title: "Bestellung <7>",
        message: "Danke",
        push: { title: "Bestellung <7>", body: "Danke" },
        email: { subject: "Bestellung <7>", text: "Danke", html: null },
        sms: { text: "Danke" },
        whatsapp: { text: "Danke" }
      })
      const html = yield* call(`${root}/order/preview`, { as, body: { variables: { id: "<7>" } } })
      assert.strictEqual(html.body.data.email.html, "<p>&lt;7&gt;</p>")

      const active = yield* call(`${root}/order/activate`, { as, body: { version: 2 } })
      assert.deepStrictEqual([active.status, active.body.data.version], [200, 2])
      const now = yield* call(`${root}/order/preview`, { as, body: { variables: { id: "7" } } })
      assert.strictEqual(now.body.data.title, "New 7")
      const former = yield* call(`${root}/order/preview`, { as, body: { variables: { id: "7" }, version: 1 } })
      assert.strictEqual(former.body.data.title, "Order 7")
      assert.strictEqual((yield* call(`${root}/order/activate`, { as, body: { version: 9 } })).status, 404)

      assert.strictEqual((yield* call(`${root}/order`, { as, method: "DELETE" })).status, 204)
      assert.strictEqual((yield* call(`${root}/order`, { as })).status, 404)
      assert.strictEqual((yield* call(`${root}/order`, { as, method: "DELETE" })).status, 404)
    })
  )

  it.effect("previews a text that is not saved, and saves nothing", () =>
    Effect.gen(function* () {
      const body = { template: { texts, variables }, variables: { id: "7" } }
      const preview = yield* call(`${root}/draft/preview`, { body })
      assert.deepStrictEqual([preview.status, preview.body.data.title], [200, "Order 7"])
      assert.strictEqual((yield* call(`${root}/draft`)).status, 404)
      const broken = { ...body, template: { texts: { default: { title: "{% if %}", message: "" } } } }
      assert.strictEqual((yield* call(`${root}/draft/preview`, { body: broken })).status, 422)
    })
  )

  it.effect("names the field and the rule of what it refuses", () =>
    Effect.gen(function* () {
      const bad = yield* call(root, {
        body: {
          code: "bad",
          texts: { default: { title: "{{ a | raw }}", message: "" } },
          variables: { type: "object", properties: { a: { pattern: "x" } } }
        }
      })
      assert.strictEqual(bad.status, 422)
      assert.match(
        bad.body.detail,
        /texts\.default\.title: undefined filter: raw.*variables\.properties\.a\.pattern: is not/
      )
      yield* call(root, { body: { code: "good", texts, variables } })
      const refused = yield* call(`${root}/good/preview`, { body: { variables: { id: "x".repeat(11) } } })
      assert.deepStrictEqual(
        [refused.status, refused.body.detail],
        [422, "variables.id: must NOT have more than 10 characters"]
      )
      const noDefault = yield* call(root, { body: { code: "bad", texts: { de: { title: "a", message: "" } } } })
      assert.strictEqual(noDefault.status, 400)
      assert.strictEqual((yield* call(`${root}?cursor=nonsense`)).status, 422)
      assert.strictEqual((yield* call(`${root}/good?version=x`)).status, 400)
    })
  )

  it.effect("lists all with a cursor, Beckon's own among them", () =>
    Effect.gen(function* () {
      const as = { tenant: "lists" }
      yield* call(root, { as, body: { code: "welcome", texts, variables } })
      yield* call(root, { as, body: { code: "ä \u{1f600}", texts, variables } })
      const codes: Array<string> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const page: {
          body: { data: ReadonlyArray<{ code: string; built_in: boolean }>; meta: { next_cursor: string | null } }
        } = yield* call(`${root}?limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`, { as })
        codes.push(...page.body.data.map(({ built_in, code }) => `${code}${built_in ? " (built in)" : ""}`))
        cursor = page.body.meta.next_cursor
      }
      assert.deepStrictEqual(codes, [
        "digest (built in)",
        "friend_request (built in)",
        "notification (built in)",
        "order_status (built in)",
        "password_reset (built in)",
        "verification_code (built in)",
        "welcome",
        "ä \u{1f600}"
      ])
      assert.strictEqual((yield* call(`${root}/digest`, { as })).body.data.built_in, true)
      assert.strictEqual((yield* call(`${root}/digest`, { as, method: "DELETE" })).status, 404)
    })
  )

  it.effect("belong to their tenant, and are for services and admins", () =>
    Effect.gen(function* () {
      yield* call(root, { body: { code: "secret", texts, variables } })
      assert.strictEqual((yield* call(`${root}/secret`, { as: { tenant: "elsewhere" } })).status, 404)
      assert.strictEqual((yield* call(`${root}/secret`, { as: { role: "admin" } })).status, 200)
      const body = { code: "a", texts, version: 1, variables: { id: "1" } }
      for (const [path, method] of [
        ["", "GET"],
        ["", "POST"],
        ["/secret", "GET"],
        ["/secret", "PUT"],
        ["/secret", "DELETE"],
        ["/secret/versions", "GET"],
        ["/secret/activate", "POST"],
        ["/secret/preview", "POST"]
      ] as const) {
        const request = { method, ...(method === "GET" || method === "DELETE" ? {} : { body }) }
        assert.strictEqual((yield* call(root + path, { ...request, as: { user: "ada" } })).status, 403, method + path)
        assert.strictEqual((yield* call(root + path, { ...request, as: null })).status, 401, method + path)
      }
      assert.strictEqual((yield* call(`${root}/secret`)).body.data.version, 1)
    })
  )
})
