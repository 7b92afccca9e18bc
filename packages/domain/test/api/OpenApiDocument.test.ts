import { assert, describe, it } from "@effect/vitest"
import { OpenApi } from "effect/http-api"
import { BeckonApi } from "../../src/api/BeckonApi.ts"
import * as OpenApiDocument from "../../src/api/OpenApiDocument.ts"
import * as Policy from "../../src/Policy.ts"

const url = "https://id.example.com/realms/acme"
const endpoints = { authorizationUrl: `${url}/auth`, tokenUrl: `${url}/token` }

const operationsOf = (spec: OpenApi.OpenAPISpec) =>
  Object.values(spec.paths).flatMap((item) =>
    [item.get, item.put, item.post, item.delete, item.patch].flatMap((operation) => operation ?? [])
  )

describe("the document of the API", () => {
  it("says of every operation behind a credential which scope it needs and which roles have it", () => {
    for (const operation of operationsOf(OpenApiDocument.make(BeckonApi))) {
      const isProtected = operation.security.length > 0
      assert.strictEqual("x-required-scope" in operation, isProtected, operation.operationId)
      if (isProtected) assert.match(operation.description ?? "", /Needs the scope `[a-z_]+:[a-z]+`/)
    }
  })

  it("puts every group into one chapter", () => {
    const spec = OpenApiDocument.make(BeckonApi)
    const chapters: ReadonlyArray<{ readonly name: string; readonly tags: ReadonlyArray<string> }> = Object.entries(
      spec
    ).flatMap(([name, value]) => (name === "x-tagGroups" ? Object.values<never>(Object(value)) : []))
    assert.deepStrictEqual(
      chapters.map(({ name }) => name),
      ["User", "Service", "Admin", "System"]
    )
    assert.deepStrictEqual(
      chapters.flatMap(({ tags }) => tags).toSorted(),
      spec.tags.map(({ name }) => name).toSorted()
    )
  })

  it("tells how to get a token of the issuer", () => {
    const { oidc } = OpenApiDocument.make(BeckonApi, { url, endpoints }).components.securitySchemes
    assert.nestedPropertyVal(oidc, "flows.authorizationCode.authorizationUrl", `${url}/auth`)
    assert.nestedPropertyVal(oidc, "flows.clientCredentials.tokenUrl", `${url}/token`)
    assert.nestedProperty(oidc, "flows.clientCredentials.scopes.inbox:read")
    const early = OpenApiDocument.make(BeckonApi, { url }).components.securitySchemes["oidc"]
    assert.propertyVal(early, "openIdConnectUrl", `${url}/.well-known/openid-configuration`)
    assert.notProperty(OpenApiDocument.make(BeckonApi).components.securitySchemes, "oidc")
  })

  it("is what everything makes that has the annotated API", () => {
    const annotated = OpenApi.fromApi(OpenApiDocument.annotate(BeckonApi, { url, endpoints }))
    // The page alone is told how people log in.
    const plain = JSON.stringify(annotated).replace(',"x-usePkce":"SHA-256"', "")
    assert.notStrictEqual(plain, JSON.stringify(annotated))
    assert.deepStrictEqual(
      JSON.parse(plain),
      JSON.parse(JSON.stringify(OpenApiDocument.make(BeckonApi, { url, endpoints })))
    )
    const scopes = operationsOf(annotated).flatMap(({ security }) => security.flatMap((one) => one["oidc"] ?? []))
    assert.isTrue(scopes.length > 50 && scopes.every(Policy.isScope))
  })
})
