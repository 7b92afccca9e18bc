import { RuleTester } from "oxlint/plugins-dev"
import { describe, expect, it } from "vitest"
import BeckonRules, { importFault } from "./BeckonRules.ts"

RuleTester.describe = describe
RuleTester.it = it

const tester = new RuleTester({ languageOptions: { parserOptions: { lang: "ts" } } })
const fails = (...codes: ReadonlyArray<string>) => codes.map((code) => ({ code, errors: 1 }))

tester.run("no-async", BeckonRules.rules["no-async"], {
  valid: ["const f = () => 1", "function* g() {}"],
  invalid: fails("const f = async () => 1", "async function f() {}", "class A { async f() {} }")
})

tester.run("no-effect-run", BeckonRules.rules["no-effect-run"], {
  valid: ["Effect.runtime", "NodeRuntime.layer"],
  invalid: fails("Effect.runSync(a)", "Effect.runForkWith(s)(a)", "NodeRuntime.runMain(a)", "ManagedRuntime.make(l)")
})

tester.run("no-ambient", BeckonRules.rules["no-ambient"], {
  valid: ["new Date(0)", "Math.floor(1)", "process.pid"],
  invalid: fails(
    "Date.now()",
    "new Date()",
    "Date()",
    "Math.random()",
    "performance.now()",
    "process.env.A",
    `process["env"]`,
    `import { env } from "node:process"`
  )
})

tester.run("codec-at-module-scope", BeckonRules.rules["codec-at-module-scope"], {
  valid: [
    "const decode = Schema.decodeUnknownEffect(A)",
    "class A { static readonly decode = Schema.decodeUnknownSync(A) }",
    "const codec = (schema: S) => Schema.decodeUnknownEffect(schema)",
    "const f = () => Schema.decodeTo(A)"
  ],
  invalid: fails(
    "const f = (u: unknown) => Schema.decodeUnknownEffect(A)(u)",
    "const f = Effect.fn(function* (u: unknown) { yield* Schema.encodeEffect(A)(u) })",
    "class A { f(u: unknown) { return Schema.is(B)(u) } }"
  )
})

tester.run("no-switched-off-tests", BeckonRules.rules["no-switched-off-tests"], {
  valid: ["it.effect('a', f)", "list.skip", "it.each([1])('a', f)"],
  invalid: fails(
    "it.only('a', f)",
    "it.effect.skip('a', f)",
    "describe.todo('a')",
    "test.skipIf(ci)('a', f)",
    "it.layer(l)('a', f).only"
  )
})

tester.run("no-forced-types", BeckonRules.rules["no-forced-types"], {
  valid: ["const a = b as C", "const a = [] as const"],
  invalid: fails("const a = b as never", "const a = b as any", "const a = b as unknown as C")
})

tester.run("no-vague-files", BeckonRules.rules["no-vague-files"], {
  valid: [{ code: "1", filename: "/r/packages/domain/src/Position.ts" }],
  invalid: ["utils.ts", "helpers/Url.ts", "mailbox/types.ts", "index.ts"].map((file) => ({
    code: "1",
    filename: `/r/packages/domain/src/${file}`,
    errors: 1
  }))
})

tester.run("disable-needs-reason", BeckonRules.rules["disable-needs-reason"], {
  valid: ["// oxlint-disable-next-line no-eval -- the console page evaluates what is typed\n1", "// a comment"],
  invalid: fails("// oxlint-disable-next-line no-eval\n1", "/* eslint-disable */ 1")
})

describe("import-direction", () => {
  const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "")
  const allowed = [
    ["domain/src/A.ts", "effect/rpc"],
    ["domain/src/A.ts", "./B.ts"],
    ["domain/test/A.test.ts", "../src/A.ts"],
    ["domain/test/A.test.ts", "@beckon/domain/A"],
    ["domain/test/A.test.ts", "@effect/vitest"],
    ["client/src/A.ts", "@beckon/domain/A"],
    ["infra/src/redis/A.ts", "ioredis"],
    ["infra/src/A.ts", "node:net"],
    ["server/src/A.ts", "@beckon/infra/A"]
  ] as const
  it.each(allowed)("%s may import %s", (file, specifier) => {
    expect(importFault(`${root}/packages/${file}`, specifier)).toBeUndefined()
  })
  const forbidden = [
    ["domain/src/A.ts", "node:fs", "no I/O"],
    ["domain/src/A.ts", "jose", "must not import"],
    ["domain/src/A.ts", "@beckon/infra/A", "domain <- infra"],
    ["domain/src/A.ts", "../../infra/src/A.ts", "leaves the package"],
    ["domain/src/A.ts", "@beckon/domain/B", "relative path"],
    ["domain/test/A.test.ts", "@beckon/server/A", "domain <- infra"],
    ["client/src/A.ts", "node:net", "no I/O"],
    ["client/src/A.ts", "@beckon/infra/A", "domain <- client"],
    ["infra/src/A.ts", "@beckon/server/A", "domain <- infra"],
    ["infra/src/A.ts", "lodash", "does not declare"],
    ["server/src/A.ts", "ioredis", "does not declare"],
    ["server/src/A.ts", "@beckon/client/A", "domain <- client"],
    ["server/src/A.ts", "@beckon/domain", "no barrel"],
    ["other/src/A.ts", "effect", "no import rules yet"]
  ] as const
  it.each(forbidden)("%s must not import %s", (file, specifier, reason) => {
    expect(importFault(`${root}/packages/${file}`, specifier)).toContain(reason)
  })
})
