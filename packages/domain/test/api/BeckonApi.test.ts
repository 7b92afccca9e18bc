import { assert, describe, it } from "@effect/vitest"
import { OpenApi } from "effect/http-api"
import { BeckonApi } from "../../src/api/BeckonApi.ts"

const document = OpenApi.fromApi(BeckonApi)

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation }))
)

const paths = new Set(operations.map(({ name }) => name))

describe("the API document", () => {
  it("has what services and users call about deliveries", () => {
    for (const name of [
      "post /api/v1/notifications",
      "get /api/v1/notifications/{id}",
      "post /api/v1/notifications/{id}/cancel",
      "post /api/v1/notifications/cancel",
      "post /api/v1/notifications/broadcast",
      "post /api/v1/users",
      "patch /api/v1/users/{id}",
      "put /api/v1/users/{id}/preferences",
      "get /api/v1/users/{id}/devices",
      "put /api/v1/users/me/preferences",
      "delete /api/v1/users/me/devices",
      "get /api/v1/deliveries",
      "get /api/v1/deliveries/{id}",
      "get /api/v1/deliveries/counts",
      "get /api/v1/deliveries/reconciliation",
      "get /api/v1/dead-letters",
      "get /api/v1/dead-letters/{id}",
      "get /api/v1/dead-letters/events",
      "post /api/v1/dead-letters/replay",
      "post /api/v1/dead-letters/discard",
      "put /api/v1/admin/routing-policy",
      "post /api/v1/push/topics/{topic}/send",
      "post /api/v1/push/topics/{topic}/subscribe",
      "post /api/v1/push/topics/{topic}/unsubscribe",
      "post /api/v1/callbacks/sendgrid",
      "post /api/v1/callbacks/twilio",
      "get /api/v1/callbacks/whatsapp",
      "post /api/v1/callbacks/push"
    ]) {
      assert.isTrue(paths.has(name), `${name} is not among ${[...paths].join(", ")}`)
    }
  })

  it("says of every operation what it does", () => {
    for (const { name, operation } of operations) {
      assert.isTrue("summary" in operation && operation.summary !== "", name)
    }
  })

  it("says of every operation which headers a call may carry and an answer has", () => {
    const named = (method: string, path: string) => {
      const operation = Object(document.paths)[path][method]
      return {
        asked: operation.parameters.map(({ name }: { readonly name: string }) => name),
        answered: (status: string) => Object.keys(operation.responses[status].headers)
      }
    }
    const send = named("post", "/api/v1/services/notifications/send")
    assert.includeMembers(send.asked, ["X-Correlation-Id", "Idempotency-Key"])
    assert.includeMembers(send.answered("429"), ["RateLimit-Remaining", "Retry-After"])
    assert.include(send.answered("202"), "Idempotency-Replayed")
    const preferences = named("put", "/api/v1/users/me/preferences")
    assert.include(preferences.asked, "If-Match")
    assert.notInclude(preferences.asked, "Idempotency-Key")
    assert.include(preferences.answered("200"), "ETag")
    assert.notInclude(named("post", "/api/v1/callbacks/twilio").asked, "Idempotency-Key")
  })

  it("is one JSON document, with snake_case names in its bodies", () => {
    const text = JSON.stringify(document)
    for (const name of ["notification_type", "template_code", "request_id", "send_at", "cancel_key", "after_seconds"]) {
      assert.include(text, `"${name}"`)
    }
    for (const name of ["notificationType", "templateCode", "sendAt", "cancelKey", "collapseKey", "quietHours"]) {
      assert.notInclude(text, `"${name}"`)
    }
  })
})
