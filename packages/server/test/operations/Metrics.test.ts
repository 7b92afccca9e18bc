import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { TenantId } from "@beckon/domain/Identifiers"
import * as Metrics from "../../src/operations/Metrics.ts"

const lines = Effect.map(PrometheusMetrics.format(), (text) => text.split("\n").filter((line) => !line.startsWith("#")))

describe("what the server counts", () => {
  it.effect("carries the tenant, and adds up", () =>
    Effect.gen(function* () {
      const acme = TenantId.make('ac"me')
      Metrics.add("notifications", acme, { outcome: "accepted" }, 3)
      Metrics.add("notifications", acme, { outcome: "accepted" }, 4)
      Metrics.addAll("notifications", { outcome: "duplicate" }, new Map([[acme, 0]]))
      yield* Metrics.observe({ sessions: 7, mailboxes: 2 })
      const said = yield* lines
      assert.includeMembers(said, [
        'beckon_notifications_total{tenant="ac\\"me",outcome="accepted"} 7',
        "beckon_sessions 7",
        "beckon_mailboxes_resident 2"
      ])
      assert.isFalse(said.some((line) => line.includes("duplicate") && line.includes("ac\\")))
    })
  )

  it.effect("names a thousand tenants, and all others together", () =>
    Effect.gen(function* () {
      for (let index = 0; index < 1_200; index++)
        Metrics.add("requests", TenantId.make(`t${index}`), { outcome: "answered" }, 1)
      const said = (yield* lines).filter((line) => line.startsWith("beckon_http_requests_total"))
      assert.isAtMost(said.length, 1_001)
      const others = said.find((line) => line.includes('tenant="other"'))
      const sum = said.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0)
      assert.isDefined(others)
      assert.strictEqual(sum, 1_200)
    })
  )
})
