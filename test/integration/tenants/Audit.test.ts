/**
 * What admins do, as the audit log of their tenant tells it afterwards, through the real program.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Services, tenantOf } from "../deliveries/Services.ts"
import { token } from "../road/Road.ts"

layer(Services.layer, { timeout: "60 seconds", excludeTestServices: true })("the audit log", (it) => {
  it.effect("tells of every admin action by whom and what it changed, without secrets", () =>
    Effect.gen(function* () {
      const tenant = "audited"
      const admin = token({ sub: "boss", tenant, roles: ["admin"] })
      const { hooks } = yield* Services
      const { api, user } = yield* tenantOf(tenant)
      const does = (target: string, method: string, body?: unknown) =>
        api(
          target,
          { method, headers: { "x-correlation-id": "audit-run" }, ...(body === undefined ? {} : { body }) },
          admin
        )
      const texts = (title: string) => ({ texts: { default: { title, message: "" } } })

      yield* does("/admin/templates", "POST", { code: "greeting", ...texts("One") })
      yield* does("/admin/templates/greeting", "PUT", texts("Two"))
      yield* does("/admin/templates/greeting/activate", "POST", { version: 1 })
      yield* does("/admin/templates/greeting", "DELETE")
      yield* does("/admin/routing-policy", "PUT", { policy: { time_zone: "Europe/Berlin" } })
      const { id, secret } = yield* does("/webhooks", "POST", { url: `${hooks.url}/audited` })
      yield* does(`/webhooks/${id}`, "PATCH", { description: "Mine" })
      const rotated = yield* does(`/webhooks/${id}/rotate`, "POST", {})
      yield* does(`/webhooks/${id}`, "DELETE")
      yield* does("/dead-letters/replay", "POST", { all: true })
      yield* does("/dead-letters/discard", "POST", { ids: ["01a"] })
      yield* user("ada")
      yield* does("/users/ada", "DELETE")
      yield* does("/admin/lookups/categories/food", "PUT", { labels: { en: "Food" } })

      const all = yield* api("/admin/audit?limit=100", {}, admin)
      const isOfAdmin = ({ actor }: { actor: { id: string } }) => actor.id === "boss"
      assert.deepStrictEqual(
        all
          .filter((entry: { actor: { id: string } }) => !isOfAdmin(entry))
          .map(({ action }: { action: string }) => action),
        ["user.create"]
      )
      const entries = all.filter(isOfAdmin)
      const told = entries.map(({ action, target }: Record<string, string>) => `${action} ${target}`).toReversed()
      assert.deepStrictEqual(told, [
        "template.create template/greeting",
        "template.put template/greeting",
        "template.activate template/greeting",
        "template.remove template/greeting",
        "routing_policy.set routing_policy",
        `webhook.create webhook/${id}`,
        `webhook.update webhook/${id}`,
        `webhook.rotate webhook/${id}`,
        `webhook.remove webhook/${id}`,
        "dead_letter.replay dead_letters",
        "dead_letter.discard dead_letters",
        "user.remove user/ada",
        "lookup.put lookup/categories/food"
      ])
      for (const entry of entries) {
        assert.deepInclude(entry, {
          actor: { kind: "user", id: "boss", roles: ["admin"] },
          address: "127.0.0.1",
          correlation_id: "audit-run"
        })
      }
      const named = (action: string) => entries.find((entry: { action: string }) => entry.action === action)
      assert.deepStrictEqual(
        [named("template.put").before.template, named("template.put").after.template],
        [texts("One"), texts("Two")]
      )
      assert.deepStrictEqual(named("routing_policy.set").after.policy, { time_zone: "Europe/Berlin" })
      assert.deepStrictEqual(
        [named("webhook.update").before.description, named("webhook.update").after.description],
        [null, "Mine"]
      )
      const text = JSON.stringify(entries)
      for (const shown of [secret, rotated.secret]) assert.notInclude(text, shown)
    })
  )
})
