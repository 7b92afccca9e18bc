import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Schema } from "effect"
import { TemplateEngine } from "@beckon/domain/ports/TemplateEngine"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import * as Seeded from "../../src/templates/SeededTemplates.ts"

const examples: Readonly<Record<string, Schema.JsonObject>> = {
  digest: {
    count: 12,
    more: 2,
    items: Array.from({ length: 10 }, (_, index) => ({ title: `Title ${index} <b>`, message: "Message", type: "a" }))
  },
  friend_request: { name: "Ada" },
  notification: { title: "Hello <b>", message: "One\nTwo" },
  order_status: { order_id: 7, status: "nearby" },
  password_reset: { link: "https://example.com/reset?a=1&b=2" },
  verification_code: { code: "123456" },
  welcome: { name: "Ada", app: "Beckon", link: "https://example.com/" }
}

const languages = ["en", "de", "pt", "pt-BR"]

describe("Beckon's own templates", () => {
  it.effect("pass the checks of any template and say something on every channel, in every language", () =>
    Effect.gen(function* () {
      const engine = yield* TemplateEngine
      for (const code of Seeded.codes) {
        const template = Seeded.find(code)
        if (template === undefined) return assert.fail(code)
        const { description, texts, variables } = template
        yield* engine.check({
          texts,
          ...(description === null ? {} : { description }),
          ...(variables === null ? {} : { variables })
        })
        const said = new Set<string>()
        for (const language of languages) {
          const rendered = yield* engine.render(template, language, examples[code] ?? {})
          for (const text of [rendered.message, rendered.push.body, rendered.email.text, rendered.sms.text]) {
            assert.notMatch(text, /^\s*$|\{\{|\{%|undefined|\[object/, `${code} ${language}`)
          }
          assert.notInclude(rendered.email.html ?? "", "<b>")
          said.add(rendered.title + rendered.message)
        }
        // One language is no translation; pt-BR may fall back to pt.
        if (code !== "notification") assert.isAtLeast(said.size, 3, code)
      }
    }).pipe(Effect.provide(LiquidRenderer.layer))
  )

  it.effect("keep a reset link out of everything but the mail", () =>
    Effect.gen(function* () {
      const engine = yield* TemplateEngine
      const template = Seeded.find("password_reset")
      if (template === undefined) return assert.fail()
      const { email, ...others } = yield* engine.render(template, "de", examples["password_reset"] ?? {})
      assert.include(email.text, "https://example.com/reset?a=1&b=2")
      assert.include(email.html, 'href="https://example.com/reset?a=1&amp;b=2"')
      assert.notInclude(JSON.stringify(others), "example.com")
    }).pipe(Effect.provide(LiquidRenderer.layer))
  )

  it.effect("say something of a notification whose title is blank, and cut one that is long", () =>
    Effect.gen(function* () {
      const engine = yield* TemplateEngine
      const template = Seeded.find("notification")
      if (template === undefined) return assert.fail()
      const titleOf = (title: string, message: string) =>
        Effect.map(engine.render(template, undefined, { title, message }), (rendered) => rendered.title)
      assert.strictEqual(yield* titleOf(" ", "Message"), "Message")
      assert.strictEqual(yield* titleOf(" ", " "), "…")
      assert.isAtMost((yield* titleOf(" ", "x".repeat(4_096))).length, 256)
      assert.strictEqual(yield* titleOf("Title", ""), "Title")
    }).pipe(Effect.provide(LiquidRenderer.layer))
  )
})
