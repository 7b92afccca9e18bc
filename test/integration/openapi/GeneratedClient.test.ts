/**
 * A client that public generators make of the served document: it type-checks, refuses what the API does not take, and works.
 */
import { assert, layer } from "@effect/vitest"
import { Data, Effect } from "effect"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient, HttpApiMiddleware } from "effect/http-api"
import { execFile } from "node:child_process"
import { symlinkSync, writeFileSync } from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import openapiTS, { astToString } from "openapi-typescript"
import { Authorization } from "@beckon/domain/api/Authorization"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { UserId } from "@beckon/domain/Identifiers"
import { NotificationType } from "@beckon/domain/Notification"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { http, Road, token } from "../road/Road.ts"

const workspace = fileURLToPath(new URL("../../..", import.meta.url))

const service = token({ sub: "checkout", roles: ["service"] })
const user = token({ sub: "gerda" })

/** What a customer would write against the generated types. */
const program = `
import createClient from "openapi-fetch"
import type { paths } from "./schema.ts"

const [, , baseUrl = "", serviceToken = "", userToken = ""] = process.argv
const of = (token: string) => createClient<paths>({ baseUrl, headers: { authorization: "Bearer " + token } })
const service = of(serviceToken)
const user = of(userToken)

const sent = await service.POST("/api/v1/services/notifications/send", {
  params: { header: { "Idempotency-Key": "generated-1" } },
  body: { user_id: "gerda", type: "order_created", title: "New order", message: "Order 1", priority: "high" }
})
const duplicate: boolean | undefined = sent.data?.data.duplicate

const listed = await user.GET("/api/v1/users/me/notifications", { params: { query: { limit: 10, status: "unread" } } })
const titles: ReadonlyArray<string> = listed.data?.data.map(({ title }) => title) ?? []

const texts = { default: { title: "Hello", message: "World" } }
const made = await service.POST("/api/v1/admin/templates", { body: { code: "generated", texts } })
const version: number | undefined = made.data?.data.version
const read = await service.GET("/api/v1/admin/templates/{code}", { params: { path: { code: "generated" } } })
const etag = read.response.headers.get("etag") ?? ""
const put = (tag: string) =>
  service.PUT("/api/v1/admin/templates/{code}", {
    params: { path: { code: "generated" }, header: { "If-Match": tag } },
    body: { texts }
  })
const changed = await put(etag)
const stale = await put(etag)
const problem: string | undefined = stale.error?.type

// @ts-expect-error -- the API takes no number here
const wrong = await service.POST("/api/v1/services/notifications/send", { body: { user_id: 7 } })
// @ts-expect-error -- there is no such path
const nowhere = await service.GET("/api/v1/nowhere")

console.log(
  JSON.stringify({
    sent: [sent.response.status, duplicate],
    titles,
    version,
    changed: [changed.response.status, changed.data?.data.version],
    stale: [stale.response.status, problem],
    wrong: wrong.response.status,
    nowhere: nowhere.response.status
  })
)
`

class Ended extends Data.TaggedError("Ended")<{ readonly output: string }> {
  override get message() {
    return this.output
  }
}

const run = (file: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.callback<string, Ended>((resume) => {
    const child = execFile(file, args, { cwd, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) =>
      resume(error === null ? Effect.succeed(stdout) : Effect.fail(new Ended({ output: stdout + stderr })))
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

const configuration = {
  compilerOptions: {
    target: "es2024",
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true
  },
  include: ["*.ts"]
}

layer(Road.layer, { timeout: "60 seconds", excludeTestServices: true })("a generated client", (it) => {
  it.effect(
    "of openapi-typescript and openapi-fetch type-checks, sends, lists, changes one version only, and gets problems",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Road
        const { body } = yield* http("/openapi.json")
        const folder = yield* BeckonProcess.temporaryFolder
        symlinkSync(path.join(workspace, "test/node_modules"), path.join(folder, "node_modules"))
        const types = yield* Effect.promise(() => openapiTS(body))
        writeFileSync(path.join(folder, "schema.ts"), astToString(types))
        writeFileSync(path.join(folder, "client.ts"), program)
        writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: "module" }))
        const typeRoots = [path.join(workspace, "node_modules/@types")]
        const compilerOptions = { ...configuration.compilerOptions, typeRoots }
        writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify({ ...configuration, compilerOptions }))
        yield* run(path.join(workspace, "node_modules/.bin/tsc"), ["-p", folder], folder)
        const output = yield* run(process.execPath, ["client.ts", url, service, user], folder)
        assert.deepStrictEqual(JSON.parse(output), {
          sent: [202, false],
          titles: ["New order"],
          version: 1,
          changed: [200, 2],
          stale: [412, "urn:beckon:problem:precondition-failed"],
          wrong: 400,
          nowhere: 404
        })
      }).pipe(Effect.scoped),
    120_000
  )

  it.effect("of Effect, made of the same definition, sends and gets a typed problem", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const client = yield* HttpApiClient.make(BeckonApi, { baseUrl: url }).pipe(
        Effect.provide(
          HttpApiMiddleware.layerClient(Authorization, ({ next, request }) =>
            next(HttpClientRequest.bearerToken(request, service))
          )
        )
      )
      const sent = yield* client.services.send({
        payload: {
          userId: UserId.make("frieda"),
          type: NotificationType.make("order_created"),
          title: "New order",
          message: "Order 2"
        }
      })
      assert.strictEqual(sent.data.userId, "frieda")
      const refused = yield* Effect.flip(client.templates.get({ params: { code: "nobody-has-this" }, query: {} }))
      assert.strictEqual(refused._tag, "NotFound")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
