import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import { NotificationCommand, toDrafts } from "../../src/events/NotificationCommand.ts"
import { TenantId } from "../../src/Identifiers.ts"
import { Draft } from "../../src/Notification.ts"

const decode = Schema.decodeUnknownSync(NotificationCommand)
const decodeExit = Schema.decodeUnknownExit(NotificationCommand)
const encodeDraft = Schema.encodeUnknownSync(Draft)
const acme = TenantId.make("acme")

const least = { commandId: "c1", userId: 7, type: "invoice_due", title: "Invoice", message: "It is due." }
const drafts = (command: object) => toDrafts(acme, decode(command)).map((draft) => encodeDraft(draft))

describe("a notification command", () => {
  it("needs an id, a user and a text, and is then of medium priority and deduplicated by its id", () => {
    assert.deepStrictEqual(drafts(least), [
      {
        tenantId: "acme",
        userId: "7",
        type: "invoice_due",
        title: "Invoice",
        message: "It is due.",
        priority: "medium",
        dedupeKey: "command:c1",
        source: "notification-commands"
      }
    ])
  })

  it("may say everything itself, the tenant too", () => {
    const [draft] = drafts({
      ...least,
      tenant: "other",
      priority: "high",
      data: { invoice: 3 },
      push: "always",
      dedupeKey: "invoice-3"
    })
    assert.include(draft, { tenantId: "other", priority: "high", push: "always", dedupeKey: "invoice-3" })
    assert.deepStrictEqual(draft?.data, { invoice: 3 })
  })

  it("takes null for what is absent", () => {
    const nothing = { tenant: null, priority: null, data: null, push: null, dedupeKey: null }
    assert.deepStrictEqual(drafts({ ...least, ...nothing }), drafts(least))
  })

  it.each([
    ["no id", { commandId: undefined }],
    ["an empty title", { title: "" }],
    ["an unknown priority", { priority: "urgent" }],
    ["data that is no object", { data: [1] }],
    ["a tenant with a control character", { tenant: "a\nb" }]
  ])("is refused with %s", (_, wrong) => {
    assert.strictEqual(decodeExit({ ...least, ...wrong })._tag, "Failure")
  })
})
