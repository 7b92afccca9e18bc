import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as LogProvider from "../../src/push/LogProvider.ts"
import { messageTo, outgoing, toDevice } from "./PushFixture.ts"

describe("LogProvider", () => {
  it.effect("every push is sent and is one line, without its token", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
      const batch = [
        outgoing(messageTo(toDevice("secret-token", "ios"))),
        outgoing(messageTo({ _tag: "Topic", topic: "news" }))
      ]
      const outcomes = yield* Effect.provide(LogProvider.make().send(batch), Logger.layer([logger]))
      expect(outcomes).toEqual([
        { _tag: "Sent", providerMessageId: null },
        { _tag: "Sent", providerMessageId: null }
      ])
      expect(lines).toHaveLength(2)
      expect(lines[0]).toContain("Your order left")
      expect(lines[0]).toContain('"to":"ios"')
      expect(lines[1]).toContain("topic news")
      expect(lines.join()).not.toContain("secret-token")
    })
  )
})
