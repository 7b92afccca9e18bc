import * as VariablesSchema from "@beckon/infra/templates/VariablesSchema"
import type { Schema } from "effect"
import { assert, describe, it } from "vitest"

const object = (properties: Schema.JsonObject, other: Schema.JsonObject = {}): Schema.JsonObject => ({
  type: "object",
  properties,
  ...(other as Record<string, Schema.Json>)
})

/** Nested schemas, `depth` of them. */
const nested = (depth: number): Schema.JsonObject =>
  depth === 1 ? { type: "string" } : { type: "object", properties: { a: nested(depth - 1) } }

const fieldsOf = (schema: Schema.JsonObject) => VariablesSchema.check(schema).map(({ field }) => field)

/** The faults of variables, or the variables with their defaults. */
const apply = (schema: Schema.JsonObject, variables: Schema.JsonObject) => {
  const copy = VariablesSchema.copy(variables)
  try {
    VariablesSchema.apply(schema, copy)
    return copy.variables
  } catch (error) {
    if (error instanceof VariablesSchema.VariablesRefused) return error.faults
    throw error
  }
}

describe("the schema of a template's variables", () => {
  it("takes the keywords that are allowed", () => {
    const schema = object(
      {
        name: {
          type: ["string", "null"],
          minLength: 1,
          maxLength: 10,
          title: "Name",
          description: "Who",
          default: "x"
        },
        at: { type: "string", format: "date-time" },
        list: { type: "array", items: { enum: ["a", 1] }, minItems: 1, maxItems: 3 },
        either: { anyOf: [{ const: 1 }, { type: "number", minimum: 2, maximum: 3 }] },
        more: { type: "object", additionalProperties: { type: "boolean" } }
      },
      { required: ["name"], additionalProperties: false }
    )
    assert.deepStrictEqual(VariablesSchema.check(schema), [])
  })

  it("refuses every other keyword, and what stands wrong behind one, by its path", () => {
    for (const keyword of [
      "$ref",
      "pattern",
      "$dynamicRef",
      "$defs",
      "allOf",
      "not",
      "if",
      "uniqueItems",
      "patternProperties",
      "$id",
      "contains",
      "__proto__"
    ]) {
      const schema: Schema.JsonObject = JSON.parse(`{"type": "object", "properties": {"a": {"${keyword}": {}}}}`)
      assert.deepStrictEqual(fieldsOf(schema), [`variables.properties.a.${keyword}`])
    }
    for (const [keyword, value] of [
      ["type", "text"],
      ["type", []],
      ["format", "regex"],
      ["format", "made-up"],
      ["required", "a"],
      ["enum", []],
      ["minLength", -1],
      ["maxItems", 1.5],
      ["maximum", "1"],
      ["anyOf", []],
      ["anyOf", Array.from({ length: 11 }, () => ({}))],
      ["properties", []],
      ["title", 1]
    ] as const) {
      assert.deepStrictEqual(fieldsOf(object({ a: { [keyword]: value } })), [`variables.properties.a.${keyword}`])
    }
    assert.deepStrictEqual(fieldsOf(object({ a: true, b: { items: [{}] } })), [
      "variables.properties.b.items",
      "variables.properties.a"
    ])
    assert.deepStrictEqual(fieldsOf({ type: "string" }), ["variables.type"])
  })

  it("is bounded in length and depth", () => {
    assert.deepStrictEqual(fieldsOf(nested(10)), [])
    assert.include(VariablesSchema.check(nested(11))[0]?.rule, "deeper than 10")
    assert.include(
      VariablesSchema.check(object({ a: { description: "x".repeat(16_384) } }))[0]?.rule,
      "at most 16384 characters"
    )
    const deep: Schema.JsonObject = JSON.parse(`{"type":"object","default":${"[".repeat(20_000)}${"]".repeat(20_000)}}`)
    assert.lengthOf(VariablesSchema.check(deep), 1)
  })

  it("puts nothing of itself into code that runs", () => {
    const evil = `"]; globalThis.broken = true; //'\`\${globalThis.broken = true}\\u2028`
    const schema = object(
      { [evil]: { enum: [evil], default: evil, title: evil }, b: { const: evil } },
      { required: [evil, "b"], description: evil }
    )
    assert.deepStrictEqual(VariablesSchema.check(schema), [])
    apply(schema, { b: evil })
    apply(schema, { [evil]: 1 })
    assert.notProperty(globalThis, "broken")
  })
})

describe("variables", () => {
  it("are refused by the name of each and its rule", () => {
    const schema = object(
      {
        name: { type: "string", maxLength: 3 },
        kind: { enum: ["a", "b"] },
        items: { type: "array", items: object({ price: { type: "number", minimum: 0 } }, { required: ["price"] }) },
        mail: { type: "string", format: "email" }
      },
      { required: ["name", "total"], additionalProperties: false }
    )
    const faults = apply(schema, { kind: "c", items: [{ price: -1 }, {}], mail: "nobody", other: 1 })
    assert.sameDeepMembers(faults as Array<unknown>, [
      { field: "variables.name", rule: "is required" },
      { field: "variables.total", rule: "is required" },
      { field: "variables.kind", rule: 'must be equal to one of the allowed values: ["a","b"]' },
      { field: "variables.items.0.price", rule: "must be >= 0" },
      { field: "variables.items.1.price", rule: "is required" },
      { field: "variables.mail", rule: 'must match format "email"' },
      { field: "variables.other", rule: "is not a variable of this template" }
    ])
  })

  it("get defaults, also within others, and keep what the schema does not name", () => {
    const schema = object({ a: object({ b: { type: "integer", default: 1 } }, { default: {} }), c: { type: "string" } })
    const given = { d: [1, null] }
    assert.deepStrictEqual(apply(schema, given), { a: { b: 1 }, d: [1, null] })
    assert.deepStrictEqual(given, { d: [1, null] })
    // A default is not shared by those who got it.
    assert.deepStrictEqual(apply(schema, { a: {} }), { a: { b: 1 } })
  })

  it("of any content are checked in time that the formats do not multiply", () => {
    for (const format of [
      "date",
      "date-time",
      "duration",
      "email",
      "hostname",
      "ipv4",
      "ipv6",
      "time",
      "uri",
      "uuid"
    ]) {
      const schema = object({ a: { type: "string", format } })
      for (const part of ["a", "a.", "1:", "a@", "-", "0", "P1", ":", "%41", "a-"]) {
        for (const end of ["", "!", "\n", "@"]) {
          const start = process.hrtime.bigint()
          apply(schema, { a: part.repeat(30_000 / part.length) + end })
          assert.isBelow(Number(process.hrtime.bigint() - start) / 1e6, 300, `${format} ${part}${end}`)
        }
      }
    }
  })

  it("that take long to check are known beforehand", () => {
    const schema = object({
      a: { type: "array", items: { anyOf: Array.from({ length: 10 }, (_, index) => ({ const: index })) } }
    })
    assert.isFalse(VariablesSchema.isLong(schema, VariablesSchema.copy({ a: [1, 2, 3] })))
    assert.isTrue(VariablesSchema.isLong(schema, VariablesSchema.copy({ a: Array.from({ length: 30_000 }, () => 9) })))
  })
})
