import { assert, describe, it } from "@effect/vitest"
import { DateTime } from "effect"
import type { Content } from "@beckon/domain/api/NotificationRequest"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import * as Drafts from "../../src/inbox/Drafts.ts"

const now = DateTime.makeUnsafe("2026-03-01T12:00:00Z")

const literal: Content = { notificationType: "order_created", title: "New Order", message: "Accept now!" }
const templated: Content = { notificationType: "order_created", templateCode: "order" }

const draftOf = (content: Content, other: Partial<Drafts.Addressed> = {}) =>
  Drafts.draftOf({
    tenantId: TenantId.make("acme"),
    userId: UserId.make("ann"),
    content,
    words: { title: "T", message: "M" },
    dedupeKey: undefined,
    correlationId: undefined,
    ...other
  })

describe("Drafts.faultOf", () => {
  const faults: ReadonlyArray<readonly [Content, string | undefined]> = [
    [literal, undefined],
    [templated, undefined],
    [{ notificationType: "t" }, "title"],
    [{ notificationType: "t", message: "m" }, "title"],
    [{ ...literal, variables: {} }, "variables"],
    [{ ...templated, title: "x" }, "title"],
    [{ ...templated, message: "" }, "message"],
    [{ ...literal, sendAt: DateTime.add(now, { days: 366 }) }, undefined],
    [{ ...literal, sendAt: DateTime.add(now, { days: 367 }) }, "send_at"],
    [{ ...literal, sendAt: DateTime.add(now, { days: -4_000 }) }, undefined],
    [{ ...literal, data: { blob: "x".repeat(4_096) } }, undefined],
    [{ ...literal, push: "always", data: { blob: "x".repeat(4_096) } }, "data"],
    [{ ...literal, channels: ["email", "push"], data: { blob: "x".repeat(4_096) } }, "data"],
    [{ ...literal, notificationType: "push", data: { blob: "x".repeat(4_096) } }, "data"],
    [{ ...literal, channels: ["push"], data: { blob: "x".repeat(4_000) } }, undefined]
  ]
  for (const [content, field] of faults) {
    it(`finds ${field ?? "nothing"} in ${JSON.stringify(content).slice(0, 90)}`, () => {
      assert.strictEqual(Drafts.faultOf(content, now)?.split(":")[0], field)
    })
  }
})

describe("Drafts.draftOf", () => {
  it("leaves out what was not said", () => {
    assert.deepStrictEqual(draftOf(literal), {
      tenantId: TenantId.make("acme"),
      userId: UserId.make("ann"),
      type: "order_created",
      title: "T",
      message: "M",
      priority: "medium",
      urgency: 5,
      source: "api"
    })
  })

  it("reads the name of a channel as that channel, and the template as the type", () => {
    const mail = draftOf({ ...templated, notificationType: "email" })
    assert.deepStrictEqual([mail.type, mail.options], ["order", { channels: ["email"] }])
    const said = draftOf({ ...templated, notificationType: "sms", channels: ["in_app", "sms"] })
    assert.deepStrictEqual(said.options?.channels, ["in_app", "sms"])
    assert.strictEqual(draftOf({ ...literal, notificationType: "push" }).type, "push")
    assert.isUndefined(draftOf({ ...literal, notificationType: "in_app" }).options)
  })

  it("keeps how it goes out, and the three levels of the urgency", () => {
    const template = { code: "order", version: 3, variables: { id: 7 } }
    const draft = draftOf(
      { ...templated, priority: 9, push: "never", category: "orders", cancelKey: "order-7", pushOptions: { badge: 1 } },
      { words: { title: "T", message: "M", template }, dedupeKey: "request:r", correlationId: "c" }
    )
    assert.deepInclude(draft, { priority: "high", urgency: 9, push: "never", dedupeKey: "request:r" })
    assert.deepStrictEqual(draft.options, {
      category: "orders",
      template,
      push: { badge: 1 },
      cancelKey: "order-7",
      correlationId: "c"
    })
    assert.deepStrictEqual(
      [1, 3, 4, 7, 8, 10].map((priority) => draftOf({ ...literal, priority }).priority),
      ["low", "low", "medium", "medium", "high", "high"]
    )
  })
})
