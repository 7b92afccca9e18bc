/**
 * The API document by the rules of OpenAPI 3.1 and of JSON Schema 2020-12, as programs that are not ours see them.
 */
import { assert, describe, it } from "@effect/vitest"
import { createConfig, lintFromString } from "@redocly/openapi-core"
import { Effect } from "effect"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { samples } from "@beckon/domain/api/Example"
import { examples } from "@beckon/domain/api/Examples"
import * as OpenApiDocument from "@beckon/domain/api/OpenApiDocument"
import type { Answer } from "../road/Road.ts"
import { validating } from "./Document.ts"
import type { Operation } from "./Document.ts"

const url = "https://id.example"
const endpoints = { authorizationUrl: `${url}/authorize`, tokenUrl: `${url}/token` }

const documentOf = (issuer?: OpenApiDocument.Issuer): Answer["body"] => OpenApiDocument.make(BeckonApi, issuer)

const faultsOf = (document: unknown) =>
  Effect.promise(async () => {
    const config = await createConfig({ extends: ["recommended-strict"] })
    const problems = await lintFromString({ source: JSON.stringify(document), config })
    return problems.map(({ location, message, ruleId }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ""}`)
  })

describe("the API document", () => {
  for (const [name, issuer] of [
    ["without an issuer", undefined],
    ["with an issuer that has not told its endpoints", { url }],
    ["with an issuer", { url, endpoints }]
  ] as const) {
    it.effect(
      `${name} is one by Redocly's rules, and so are its examples`,
      () => Effect.map(faultsOf(documentOf(issuer)), (faults) => assert.deepStrictEqual(faults, [])),
      60_000
    )
  }

  it.effect(
    "is none when an example does not fit its schema",
    () =>
      Effect.gen(function* () {
        const document = documentOf()
        const send = document.paths["/api/v1/services/notifications/send"].post.requestBody.content["application/json"]
        send.example = { ...send.example, user_id: 7 }
        const faults = yield* faultsOf(document)
        assert.strictEqual(faults.length, 1)
        assert.match(faults[0] ?? "", /no-invalid-media-type-examples/)
      }),
    60_000
  )

  it("has schemas that compile, and examples that they take", () => {
    const document = validating(documentOf())
    const faults: Array<string> = []
    const bodies = (operation: Operation, ...at: ReadonlyArray<string>) => {
      const content = at.reduce<Answer["body"]>((node, name) => node?.[name], operation.definition)?.content ?? {}
      for (const [type, { example }] of Object.entries<Answer["body"]>(content)) {
        const fault = document.compiles(document.schemaAt(operation, ...at, "content", type))
        const place = `${operation.id} ${at.join(" ")} ${type}`
        if (fault !== undefined) faults.push(`${place}: ${fault}`)
        if (example === undefined) continue
        const misfit = document.check(document.schemaAt(operation, ...at, "content", type), example)
        if (misfit !== undefined) faults.push(`${place}, its example: ${misfit}`)
      }
    }
    for (const operation of document.operations) {
      bodies(operation, "requestBody")
      for (const status of Object.keys(operation.definition.responses)) bodies(operation, "responses", status)
      for (const [index, { example, name }] of operation.definition.parameters.entries()) {
        const at = document.schemaAt(operation, "parameters", String(index))
        const fault = document.compiles(at) ?? (example === undefined ? undefined : document.check(at, example))
        if (fault !== undefined) faults.push(`${operation.id} ${name}: ${fault}`)
      }
    }
    assert.deepStrictEqual(faults, [])
  }, 120_000)

  it("has an example of every operation, and of no other", () => {
    const { operations } = validating(documentOf())
    assert.sameMembers(
      Object.keys(examples),
      operations.map(({ id }) => id)
    )
    for (const { definition, id } of operations) {
      const shown = Object.values<Answer["body"]>(definition.requestBody?.content ?? {})
      if (shown.length > 0)
        assert.isTrue(
          shown.some(({ example }) => example !== undefined),
          id
        )
      for (const { example, in: place, name, required } of definition.parameters) {
        if (place === "path" || required) assert.isDefined(example, `${id} ${name}`)
      }
    }
    const left = [...JSON.stringify(documentOf()).matchAll(/"example":(?:"[^"]*|\{[^}]*)\{([a-z]+_[a-z_]+)\}/g)]
    assert.deepStrictEqual(
      left.filter(([, name = ""]) => name in samples).map(([text]) => text),
      []
    )
  })

  it("has words for every operation, parameter, answer and group", () => {
    const { document, operations } = validating(documentOf())
    const silent: Array<string> = []
    const say = (what: string, text: unknown) => {
      if (typeof text !== "string" || text.length < 5 || text.startsWith("<")) silent.push(what)
    }
    for (const { definition, id } of operations) {
      assert.match(id, /^[a-zA-Z]+\.[a-zA-Z]+$/)
      say(id, definition.summary)
      say(id, definition.description)
      for (const { description, in: place, name } of definition.parameters) say(`${id} ${place} ${name}`, description)
      for (const [status, { description }] of Object.entries<Answer["body"]>(definition.responses)) {
        say(`${id} ${status}`, description)
        if (description === "Error" || description === "Success") silent.push(`${id} ${status}`)
      }
      const headers = definition.parameters.filter((one: Answer["body"]) => one.in === "header")
      const names = headers.map((one: Answer["body"]) => String(one.name).toLowerCase())
      assert.strictEqual(new Set(names).size, names.length, id)
    }
    for (const { description, name } of document.tags) {
      say(name, description)
      assert.notStrictEqual(description, name)
    }
    assert.deepStrictEqual(silent, [])
  })

  it("says who may call what, and how to get a token", () => {
    const { document, operations } = validating(documentOf({ url, endpoints }))
    const guarded = operations.filter(({ definition }) => "x-required-scope" in definition)
    assert.isAbove(guarded.length, 100)
    for (const { definition, id } of guarded) {
      assert.deepStrictEqual(definition.security, [{ bearer: [] }, { oidc: [definition["x-required-scope"]] }], id)
      assert.isNotEmpty(definition["x-roles"], id)
      assert.include(definition.description, definition["x-required-scope"], id)
    }
    const { flows, type } = document.components.securitySchemes.oidc
    assert.strictEqual(type, "oauth2")
    assert.strictEqual(flows.authorizationCode.authorizationUrl, endpoints.authorizationUrl)
    assert.strictEqual(flows.clientCredentials.tokenUrl, endpoints.tokenUrl)
    assert.property(flows.clientCredentials.scopes, "notifications:write")
    const open = documentOf({ url }).components.securitySchemes.oidc
    assert.strictEqual(open.openIdConnectUrl, `${url}/.well-known/openid-configuration`)
    const groups = document["x-tagGroups"].flatMap(({ tags }: Answer["body"]) => tags)
    assert.sameMembers(
      groups,
      document.tags.map(({ name }: Answer["body"]) => name)
    )
  })
})
