import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Send } from "@beckon/domain/InboxRpcs"
import { UserId } from "@beckon/domain/Identifiers"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { Sender } from "../../src/inbox/Sender.ts"
import * as Mailboxes from "../mailbox/Fixture.ts"

const shop = { tenantId: Mailboxes.tenantId, userId: UserId.make("shop"), roles: ["service"], expiresAt: 2 ** 45 }

const decode = Schema.decodeUnknownSync(Send)

const served = Sender.layer.pipe(Layer.provideMerge(Mailboxes.layer()))

describe("Sender", () => {
  it.live("keeps the urgency and how it goes out, and makes the one of urgency and priority of the other", () =>
    Effect.gen(function* () {
      const { send } = yield* Sender
      const store = yield* NotificationStore
      const one = { userId: "ann", type: "t", title: "x", message: "" }
      yield* send(shop, [
        decode({ ...one, urgency: 9, options: { channels: ["in_app", "email"], cancelKey: "k" } }),
        decode({ ...one, urgency: 2 }),
        decode({ ...one, priority: "high" }),
        decode(one)
      ])
      const rows = yield* store.after(Mailboxes.keyOf("ann"), 0, 10, 10)
      assert.deepStrictEqual(
        rows.map(({ options, priority, urgency }) => [priority, urgency, options]),
        [
          ["high", 9, { channels: ["in_app", "email"], cancelKey: "k" }],
          ["low", 2, null],
          ["high", 8, null],
          ["medium", 5, null]
        ]
      )
    }).pipe(Effect.provide(served))
  )

  it("takes no template: nobody would have checked its variables", () => {
    const sent = decode({
      userId: "ann",
      type: "t",
      title: "x",
      message: "",
      options: { template: { code: "welcome", variables: {} } }
    })
    assert.deepStrictEqual(sent.options, {})
  })
})
