import { assert, describe, it } from "@effect/vitest"
import { renderedLimits, TemplateEngine } from "@beckon/domain/ports/TemplateEngine"
import type { TemplateInput, TemplateText } from "@beckon/domain/Template"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { Effect, Result } from "effect"
import type { Schema } from "effect"
import { TestClock } from "effect/testing"

const withEngine = Effect.provide(LiquidRenderer.layer)

/** What a rendering gives, or its faults as one line. */
const render = (
  text: Partial<TemplateText>,
  variables: Schema.JsonObject = {},
  schema: Schema.JsonObject | null = null
) =>
  Effect.gen(function* () {
    const engine = yield* TemplateEngine
    const template = { texts: { default: { title: "title", message: "message", ...text } }, variables: schema }
    return yield* engine.render(template, undefined, variables)
  })

const faultsOf = (...args: Parameters<typeof render>) =>
  Effect.map(Effect.result(render(...args)), (result) =>
    Result.isFailure(result) ? result.failure.message : "rendered"
  )

const html = (source: string, variables: Schema.JsonObject = {}) =>
  Effect.map(render({ email: { html: source } }, variables), ({ email }) => email.html)

const message = (source: string, variables: Schema.JsonObject = {}) =>
  Effect.map(render({ message: source }, variables), (rendered) => rendered.message)

const check = (template: TemplateInput) =>
  Effect.gen(function* () {
    const engine = yield* TemplateEngine
    const result = yield* Effect.result(engine.check(template))
    return Result.isFailure(result) ? result.failure.faults : []
  })

const checkMessage = (source: string) => check({ texts: { default: { title: "title", message: source } } })

describe("LiquidRenderer", () => {
  it.effect("lets title and message stand in for channels without a text, cut to what the channel takes", () =>
    Effect.gen(function* () {
      const long = "word ".repeat(500).trim()
      const rendered = yield* render({ title: "Hello {{ name }}", message: long }, { name: "Ada" })
      assert.strictEqual(rendered.push.title, "Hello Ada")
      assert.strictEqual(rendered.email.subject, "Hello Ada")
      assert.strictEqual(rendered.email.text, long)
      assert.isUndefined(rendered.email.html)
      assert.isAtMost(rendered.push.body.length, renderedLimits.pushBody)
      assert.isTrue(long.startsWith(rendered.push.body.slice(0, -1)) && rendered.push.body.endsWith("…"))
      assert.isAtMost(rendered.sms.text.length, renderedLimits.sms)
      assert.deepStrictEqual(rendered.whatsapp, { _tag: "Text", text: long })
    }).pipe(withEngine)
  )

  it.effect("renders each channel's own text, and WhatsApp's approved template with its parameters", () =>
    Effect.gen(function* () {
      const rendered = yield* render(
        {
          push: { title: "P {{ n }}", body: "B {{ n }}" },
          email: { subject: "S {{ n }}", text: "T {{ n }}", html: "<b>{{ n }}</b>" },
          sms: { text: "M {{ n }}" },
          whatsapp: { template: { name: "order", language: "de", parameters: ["{{ n }}", "a\n\t b"] } }
        },
        { n: "<1>" }
      )
      assert.deepStrictEqual(rendered, {
        title: "title",
        message: "message",
        push: { title: "P <1>", body: "B <1>" },
        email: { subject: "S <1>", text: "T <1>", html: "<b>&lt;1&gt;</b>" },
        sms: { text: "M <1>" },
        whatsapp: { _tag: "Template", name: "order", language: "de", parameters: ["<1>", "a b"] }
      })
    }).pipe(withEngine)
  )

  it.effect("falls back from pt-BR to pt to default, without regard to case", () =>
    Effect.gen(function* () {
      const engine = yield* TemplateEngine
      const of = (title: string) => ({ title, message: "" })
      const texts = { default: of("default"), pt: of("pt"), "pt-BR": of("pt-BR") }
      for (const [language, expected] of [
        ["pt-BR", "pt-BR"],
        ["pt-br", "pt-BR"],
        ["pt-PT", "pt"],
        ["de", "default"],
        [undefined, "default"]
      ] as const) {
        assert.strictEqual((yield* engine.render({ texts, variables: null }, language, {})).title, expected)
      }
    }).pipe(withEngine)
  )

  it.effect("escapes every variable in HTML, once, in text and in quoted attributes", () =>
    Effect.gen(function* () {
      const x = `"><script>alert('1')</script>&\``
      const safe = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&#96;"
      for (const source of [
        "{{ x }}",
        "{{ x | escape }}",
        "{% capture y %}{{ x }}{% endcapture %}{{ y }}",
        "{% assign y = x %}{{ y }}",
        "{% for y in list %}{{ y }}{% endfor %}",
        "{{ list }}",
        "{{ none | default: x }}",
        "{{ 'y' | replace: 'y', x }}"
      ]) {
        assert.strictEqual(yield* html(source, { x, list: [x] }), safe, source)
      }
      assert.strictEqual(yield* html(`<a title="{{ x }}">`, { x: `" onclick="` }), `<a title="&quot; onclick=&quot;">`)
      assert.strictEqual(yield* html("{{ x | newline_to_br }}", { x: "<a>\nb" }), "&lt;a&gt;<br />\nb")
      // What is worked on after it was escaped is escaped again: too much is safe.
      assert.strictEqual(
        yield* html("{% capture y %}{{ x }}{% endcapture %}{{ y | append: '<' }}", { x: "<" }),
        "&amp;lt;&lt;"
      )
      assert.strictEqual(yield* message("{{ x }}", { x }), x)
    }).pipe(withEngine)
  )

  it.effect("lets no line break and no control character into titles, subjects, SMS and parameters", () =>
    Effect.gen(function* () {
      const x = "a\r\nBcc: b@example.com\u0000\u2028c\u0085d\u001b"
      const rendered = yield* render(
        { title: "{{ x }}", message: "{{ x }}", email: { subject: "{{ x }}" }, sms: { text: "{{ x }}\n\n \t e" } },
        { x }
      )
      const line = "a Bcc: b@example.com c d"
      assert.strictEqual(rendered.title, line)
      assert.strictEqual(rendered.email.subject, line)
      assert.strictEqual(rendered.message, "a\nBcc: b@example.com\nc\nd")
      assert.strictEqual(rendered.sms.text, "a\nBcc: b@example.com\nc\nd\ne")
    }).pipe(withEngine)
  )

  it.effect("names the field whose own text is too long or empty, and the limit", () =>
    Effect.gen(function* () {
      const x = "x".repeat(300)
      assert.strictEqual(
        yield* faultsOf({ title: "{{ x }}" }, { x }),
        "texts.default.title: renders to more than 256 characters"
      )
      assert.strictEqual(
        yield* faultsOf({ sms: { text: "{{ x }}" } }, { x: "x".repeat(1_601) }),
        "texts.default.sms.text: renders to more than 1600 characters"
      )
      assert.strictEqual(yield* faultsOf({ title: " {{ x }} " }), "texts.default.title: renders to nothing")
      assert.strictEqual((yield* render({ title: `  {{ x }}${" ".repeat(600)}` }, { x: "ok" })).title, "ok")
    }).pipe(withEngine)
  )

  it.effect("prints missing variables as nothing, and takes the schema's defaults", () =>
    Effect.gen(function* () {
      const schema = {
        type: "object",
        required: ["name"],
        properties: { name: { type: "string" }, greeting: { type: "string", default: "Hello" } }
      }
      const text = { message: "{{ greeting }} {{ name }}{{ more.of.it }}" }
      assert.strictEqual((yield* render(text)).message, "")
      const variables = { name: "Ada" }
      assert.strictEqual((yield* render(text, variables, schema)).message, "Hello Ada")
      assert.deepStrictEqual(variables, { name: "Ada" })
      assert.strictEqual(yield* faultsOf(text, { name: 1 }, schema), "variables.name: must be string")
      assert.strictEqual(yield* faultsOf(text, {}, schema), "variables.name: is required")
    }).pipe(withEngine)
  )

  it.effect("takes now from the clock, in UTC", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2030, 0, 2, 3, 4, 5))
      assert.strictEqual(yield* message('{{ "now" | date: "%Y-%m-%d %H:%M:%S %B" }}'), "2030-01-02 03:04:05 January")
      assert.strictEqual(yield* message('{{ at | date: "%d.%m.%Y" }}', { at: "2031-02-03T23:00:00Z" }), "03.02.2031")
    }).pipe(withEngine)
  )

  it.effect("has the filters and tags that texts need", () =>
    Effect.gen(function* () {
      const items = [
        { name: "b", price: 2, gift: true },
        { name: "a", price: 1 }
      ]
      for (const [source, expected] of [
        [
          "{% for i in items %}{{ forloop.index }}{{ i.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}",
          "1b, 2a"
        ],
        ["{{ items | sort: 'name' | map: 'name' | join: '-' }}", "a-b"],
        ["{{ items | where: 'gift' | map: 'name' }}{{ items | where: 'price', 1 | size }}", "b1"],
        ["{{ items | sum: 'price' | times: 1.5 | round: 1 }}", "4.5"],
        ["{% if items.size == 2 and items[0].name contains 'b' %}yes{% else %}no{% endif %}", "yes"],
        ["{% case items.first.price %}{% when 2 %}two{% else %}other{% endcase %}", "two"],
        [
          "{% capture c %}x{{ items.size }}{% endcapture %}{% if c == 'x2' %}{{ c | upcase }}{{ c.size }}{% endif %}",
          "X22"
        ],
        ["{% for i in (1..3) reversed %}{{ i }}{% endfor %}", "321"],
        ["{% if none == blank %}{{ none | default: '-' }}{% endif %}{% # a note %}", "-"]
      ] as const) {
        assert.strictEqual(yield* message(source, { items }), expected, source)
        assert.strictEqual(yield* html(source, { items }), expected, source)
      }
    }).pipe(withEngine)
  )

  it.effect("says at once, for every language and channel, what does not parse", () =>
    Effect.gen(function* () {
      const faults = yield* check({
        texts: {
          default: { title: "ok", message: "{{ a | nope }}" },
          de: { title: "ok", message: "ok", email: { html: "{% if a %}" } },
          pt: {
            title: "ok",
            message: "ok",
            whatsapp: { template: { name: "a", language: "pt", parameters: ["", "{{"] } }
          }
        },
        variables: { type: "object", properties: { a: { pattern: "(a+)+$" }, b: { $ref: "#" } } }
      })
      assert.deepStrictEqual(
        faults.map(({ field }) => field),
        [
          "texts.default.message",
          "texts.de.email.html",
          "texts.pt.whatsapp.template.parameters.1",
          "variables.properties.b.$ref",
          "variables.properties.a.pattern"
        ]
      )
      assert.include(faults[0]?.rule, "undefined filter: nope")
    }).pipe(withEngine)
  )
})

describe("a hostile template", () => {
  it.effect("cannot read another template or switch escaping off", () =>
    Effect.gen(function* () {
      for (const source of [
        "{% include 'a' %}",
        "{% render '/etc/passwd' %}",
        "{% layout 'a' %}",
        "{% block a %}{% endblock %}",
        "{% increment a %}",
        "{% liquid echo a %}",
        "{% tablerow a in b %}{% endtablerow %}",
        "{{ a | raw }}",
        "{{ a | json }}",
        "{{ a | where_exp: 'b', 'c' }}",
        "{{ a | base64_decode }}",
        "{{ a | sha256 }}"
      ]) {
        assert.lengthOf(yield* checkMessage(source), 1, source)
      }
    }).pipe(withEngine)
  )

  it.effect("reaches nothing but the variables", () =>
    Effect.gen(function* () {
      const variables = { a: { b: 1 }, s: "text", l: [1], k: "constructor" }
      const ofObject = "constructor __proto__ a.constructor a.__proto__ a[k] a[k][k] a.toString a.hasOwnProperty"
      const ofValues = "s.constructor s.__proto__ s[k] l.constructor l.push l.map globalThis process this"
      const ofGetters = "a.__defineGetter__ a.__lookupGetter__ l['__proto__'][k]"
      for (const path of `${ofObject} ${ofValues} ${ofGetters}`.split(" ")) {
        assert.strictEqual(yield* message(`[{{ ${path} }}]`, variables), "[]", path)
      }
      const inLoop = (path: string) => message(`{% for i in l %}[{{ forloop.${path} }}]{% endfor %}`, variables)
      for (const path of ["constructor", "__proto__", "valueOf", "toString", "next", "liquidMethodMissing", "i"]) {
        assert.strictEqual(yield* inLoop(path), "[]", path)
      }
      const ofCapture = (path: string) => html(`{% capture c %}x{% endcapture %}[{{ c.${path} }}]`)
      for (const path of ["constructor", "html", "valueOf", "__proto__"]) {
        assert.strictEqual(yield* ofCapture(path), "[]", path)
      }
      assert.strictEqual(
        yield* message("{{ l | map: 'constructor' }}{{ l | map: '__proto__.constructor' }}", variables),
        ""
      )
      assert.strictEqual(yield* message("{{ l | sort: '__proto__' }}{{ l | where: 'constructor' }}", variables), "1")
    }).pipe(withEngine)
  )

  it.effect("pollutes no prototype", () =>
    Effect.gen(function* () {
      const variables: Schema.JsonObject = JSON.parse(
        `{"__proto__": {"polluted": "1"}, "constructor": {"prototype": {"polluted": "1"}}, "a": {"__proto__": {"polluted": "1"}}}`
      )
      const schema = {
        type: "object",
        properties: { a: { type: "object", properties: { polluted: { type: "string", default: "1" } } } }
      }
      const source =
        "{% assign __proto__ = a %}{% assign constructor = a %}{% capture __proto__ %}1{% endcapture %}[{{ polluted }}]"
      assert.strictEqual((yield* render({ message: source }, variables, schema)).message, "[]")
      assert.notProperty({}, "polluted")
      assert.strictEqual(
        (yield* check({
          texts: { default: { title: "t", message: "" } },
          variables: JSON.parse(`{"type": "object", "properties": {"__proto__": {"type": "object"}}}`)
        }))[0]?.field,
        "variables.properties"
      )
    }).pipe(withEngine)
  )

  it.effect("runs no getter of what it is given", () =>
    Effect.gen(function* () {
      let read = 0
      const variables = Object.defineProperty({ b: "1" }, "a", {
        enumerable: true,
        get: () => {
          read += 1
          return "2"
        }
      })
      assert.strictEqual(yield* message("{{ a }}{{ b }}", variables), "1")
      assert.strictEqual(read, 0)
    }).pipe(withEngine)
  )

  const bombs: ReadonlyArray<readonly [string, string]> = [
    ["a long loop", "{% for i in (1..1000000000) %}{% endfor %}"],
    [
      "loops within loops",
      "{% for i in (1..1000) %}{% for j in (1..1000) %}{% for k in (1..1000) %}{% endfor %}{% endfor %}{% endfor %}"
    ],
    ["a range that never grows", "{% for i in (9007199254740992..9007199254740995) %}{% endfor %}"],
    [
      "a range without an end",
      "{% assign x = '1e308' | times: 10 %}{% assign y = 0 | minus: x %}{% for i in (y..x) %}{% endfor %}"
    ],
    ["text doubled by append", `{% assign s = "0123456789" %}${"{% assign s = s | append: s %}".repeat(40)}{{ s }}`],
    [
      "text doubled by capture",
      `{% assign s = "0123456789" %}${"{% capture s %}{{ s }}{{ s }}{% endcapture %}".repeat(40)}{{ s }}`
    ],
    [
      "text grown in a loop",
      `{% assign s = "0123456789" %}{% for i in (1..100000) %}{% assign s = s | append: s %}{% endfor %}`
    ],
    [
      "a list doubled",
      `{% assign l = "a,b" | split: "," %}${"{% assign l = l | concat: l %}".repeat(40)}{{ l | size }}`
    ],
    ["a long literal in a loop", `{% for i in (1..100000) %}${"x".repeat(1_000)}{% endfor %}`],
    ["text multiplied by replace", `{% assign s = "aaaaaaaaaa" %}${"{% assign s = s | replace: 'a', s %}".repeat(10)}`],
    [
      "text multiplied by join",
      `{% assign s = "a,b,c,d,e,f,g,h" %}${"{% assign s = s | split: ',' | join: s %}".repeat(12)}`
    ],
    ["a padded date", `{{ "now" | date: "%999999999d" }}`],
    [
      "a long list printed",
      `{% assign s = "0123456789" | append: big %}{% assign l = "a,b,c,d" | split: "," %}${"{% assign l = l | concat: big_list %}".repeat(60)}{{ l }}`
    ]
  ]
  for (const [name, source] of bombs) {
    it.effect(`ends: ${name}`, () =>
      Effect.gen(function* () {
        const big = "x".repeat(20_000)
        const variables = { big, big_list: [big, big] }
        const before = process.memoryUsage().rss
        const start = process.hrtime.bigint()
        assert.match(
          yield* faultsOf({ message: source }, variables),
          /^texts\.default(\.message)?: .*(does too much|takes too long|renders to more than|makes a text of more than)/
        )
        const milliseconds = Number(process.hrtime.bigint() - start) / 1e6
        // 150 ms is the promise; the machine may be busy.
        assert.isBelow(milliseconds, 1_500)
        assert.isBelow(process.memoryUsage().rss - before, 300_000_000)
      }).pipe(withEngine)
    )
  }

  it.effect("pays for everything that it gives to filters and comparisons, each time", () =>
    Effect.gen(function* () {
      const s = "x".repeat(20_000)
      const often = (source: string) => faultsOf({ message: source.repeat(300) }, { s, t: `${s.slice(1)}y`, l: [[s]] })
      const tooMuch = "texts.default.message: does too much: the limit of work for one notification is reached"
      assert.strictEqual(yield* often("{{ s | url_encode | size }}"), tooMuch)
      assert.strictEqual(yield* often("{{ l | size }}"), tooMuch)
      assert.strictEqual(yield* often("{% if s == t %}{% endif %}"), tooMuch)
      assert.strictEqual(yield* often("{% capture c %}{{ s }}{% endcapture %}"), tooMuch)
      assert.strictEqual(yield* faultsOf({ message: "{{ s | size }}".repeat(20) }, { s }), "rendered")
      assert.strictEqual(
        yield* faultsOf({ message: "{{ s | append: s | append: s | append: s | size }}" }, { s }),
        "texts.default.message: makes a text of more than 65536 characters, line:1, col:1"
      )
    }).pipe(withEngine)
  )

  it.effect("finds no slow path in searches and filters", () =>
    Effect.gen(function* () {
      const needle = `${"a".repeat(120)}b${"a".repeat(120)}`
      const variables = { hay: "a".repeat(30_000), needle, long: "a".repeat(300), spaces: `${" ".repeat(30_000)}x` }
      for (const filter of ["split: needle", "replace: needle, 'x'", "remove: needle"]) {
        const start = process.hrtime.bigint()
        yield* faultsOf({ sms: { text: `{{ hay | ${filter} | size }}` } }, variables)
        assert.isBelow(Number(process.hrtime.bigint() - start) / 1e6, 500, filter)
      }
      assert.match(yield* faultsOf({ message: "{{ hay | split: long }}" }, variables), /more than 256 characters/)
      assert.match(
        yield* faultsOf({ message: "{% if hay contains long %}{% endif %}" }, variables),
        /more than 256 characters/
      )
      for (const filter of ["strip_html", "truncatewords: 3", "strip_newlines", "strip", "url_encode", "capitalize"]) {
        const start = process.hrtime.bigint()
        yield* faultsOf({ message: `{{ spaces | ${filter} | size }}` }, { ...variables, hay: "" })
        assert.isBelow(Number(process.hrtime.bigint() - start) / 1e6, 500, filter)
      }
    }).pipe(withEngine)
  )

  it.effect("is refused for its nesting, not fatal", () =>
    Effect.gen(function* () {
      const nested = (depth: number) => `${"{% if a %}".repeat(depth)}x${"{% endif %}".repeat(depth)}`
      assert.lengthOf(yield* checkMessage(nested(600)), 1)
      assert.match(yield* faultsOf({ message: nested(400) }, { a: true }), /^(rendered|texts\.default\.message: )/)
      assert.strictEqual(
        (yield* checkMessage(`{{ a${"[a]".repeat(7_000)} }}`))[0]?.rule,
        "has more than 20000 characters in tags and outputs"
      )
      assert.strictEqual((yield* checkMessage("{{ a }}".repeat(1_001)))[0]?.rule, "has more than 1000 tags and outputs")
      assert.lengthOf(yield* checkMessage("{{ a }} [a], ".repeat(1_000)), 0)
      const brackets = `{{ a${"[a".repeat(5_000)}${"]".repeat(5_000)} }}`
      assert.match(yield* faultsOf({ message: brackets }, { a: { b: 1 } }), /^(rendered|texts\.default\.message: )/)
      const deep: Schema.JsonObject = JSON.parse(`${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`)
      assert.strictEqual(yield* faultsOf({}, deep), "variables: must be nested at most 32 levels")
      assert.strictEqual(
        yield* faultsOf({}, { a: "x".repeat(70_000) }),
        "variables: must have at most 65536 characters of JSON"
      )
    }).pipe(withEngine)
  )
})
