/**
 * The pages as HTTP serves them, and the API's documentation.
 */
import { describe, expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Demo } from "./Demo.ts"

/** Chapters, a scope, and the example of a body. */
const shown = ["User", "Service", "Admin", "System", "Needs the scope", "inbox:read", "the-token-that-the-push-service"]

/** Groups that are opened: all of them at once take a browser a minute. */
const opened = ["Services", "Events", "Friendships", "Health", "Development"] as const

const Operation = Schema.Struct({ summary: Schema.String, tags: Schema.Array(Schema.String) })

const decodePaths = Schema.decodeUnknownSync(
  Schema.Struct({
    paths: Schema.Record(Schema.String, Schema.Record(Schema.String, Operation)),
    tags: Schema.Array(Schema.Struct({ name: Schema.String }))
  })
)

export const pages = (it: Vitest.MethodsNonLive<Demo>) =>
  describe("pages", () => {
    const request = (path: string, init?: RequestInit) =>
      Effect.flatMap(Demo, ({ server }) => Effect.promise(() => fetch(`${server.url}${path}`, init)))

    for (const [path, contentType] of [
      ["/", "text/html; charset=utf-8"],
      ["/assets/demo.css", "text/css; charset=utf-8"],
      ["/assets/demo.js", "text/javascript; charset=utf-8"],
      ["/favicon.svg", "image/svg+xml"],
      ["/favicon.ico", "image/svg+xml"]
    ] as const) {
      it.effect(`serves ${path} with its type, its tag and safe headers`, () =>
        Effect.gen(function* () {
          const answer = yield* request(path)
          expect(answer.status).toBe(200)
          expect(answer.headers.get("content-type")).toBe(contentType)
          expect(answer.headers.get("cache-control")).toBe("no-cache")
          expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
          expect(answer.headers.get("referrer-policy")).toBe("no-referrer")
          const policy = answer.headers.get("content-security-policy") ?? ""
          expect(policy).toContain("default-src 'none'")
          expect(policy).not.toContain("unsafe")
          const body = yield* Effect.promise(() => answer.text())
          expect(body.length).toBeGreaterThan(100)

          const etag = answer.headers.get("etag") ?? ""
          const again = yield* request(path, { headers: { "if-none-match": `"other", ${etag}` } })
          expect(again.status).toBe(304)
          expect(yield* Effect.promise(() => again.text())).toBe("")
          const changed = yield* request(path, { headers: { "if-none-match": 'W/"other"' } })
          expect(changed.status).toBe(200)
          expect(yield* Effect.promise(() => changed.text())).toBe(body)

          const plain = yield* request(path, { headers: { "accept-encoding": "gzip;q=0, identity" } })
          expect(plain.headers.get("content-encoding")).toBeNull()
          expect(yield* Effect.promise(() => plain.text())).toBe(body)
          const head = yield* request(path, { method: "HEAD" })
          expect([head.status, head.headers.get("etag")]).toEqual([200, etag])
        })
      )
    }

    it.effect("compresses for those who take it", () =>
      Effect.gen(function* () {
        const answer = yield* request("/assets/demo.js", { headers: { "accept-encoding": "br, gzip" } })
        expect(answer.headers.get("content-encoding")).toBe("gzip")
        expect(answer.headers.get("vary")).toBe("accept-encoding")
      })
    )

    for (const [method, path] of [
      ["GET", "/nope?x=1"],
      ["POST", "/api/v1/nope"],
      ["DELETE", "/"],
      ["GET", "/assets/../x"]
    ] as const) {
      it.effect(`answers ${method} ${path} with a problem`, () =>
        Effect.gen(function* () {
          const answer = yield* request(path, { method })
          expect(answer.status).toBe(404)
          expect(answer.headers.get("content-type")).toBe("application/problem+json")
          expect(yield* Effect.promise(() => answer.json())).toMatchObject({
            type: "urn:beckon:problem:not-found",
            status: 404,
            detail: expect.stringContaining(method)
          })
        })
      )
    }

    it.effect(
      "/docs works offline, lists chapters and endpoints, shows a scope and an example, and calls one with a bearer token",
      () =>
        Effect.gen(function* () {
          const { browse, server } = yield* Demo
          const { paths, tags } = decodePaths(
            yield* Effect.flatMap(request("/openapi.json"), (answer) => Effect.promise(() => answer.json()))
          )
          const token = yield* server.token({ sub: "reader" })
          yield* browse(async (context) => {
            const page = await context.newPage()
            page.setDefaultTimeout(15_000)
            const complaints: Array<string> = []
            const foreign: Array<string> = []
            page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
            page.on("pageerror", (error) => complaints.push(error.message))
            page.on("requestfailed", (failed) => complaints.push(failed.url()))
            page.on("request", (made) => {
              if (!/^(data|blob):/.test(made.url()) && new URL(made.url()).origin !== server.url)
                foreign.push(made.url())
            })
            await page.goto(`${server.url}/docs#tag/my-inbox/GET/api/v1/users/me/unread-count`)
            await page.getByPlaceholder("Token").locator("visible=true").first().fill(token)
            for (const group of opened) await page.getByRole("button", { name: `Open Group ${group}` }).click()
            await page
              .getByRole("button", { name: /Test Request.*unread-count\)/ })
              .first()
              .waitFor()
            const text = await page.locator("body").innerText()
            for (const words of [...shown, ...tags.map(({ name }) => name)]) expect(text).toContain(words)
            for (const operation of Object.values(paths).flatMap((item) => Object.values(item))) {
              const isOpen = operation.tags.some((tag) => tag === "My inbox" || opened.some((group) => group === tag))
              if (isOpen) expect(text).toContain(operation.summary)
            }
            await page
              .getByRole("button", { name: /Test Request.*\/api\/v1\/users\/me\/unread-count\)/ })
              .first()
              .click()
            const [answer] = await Promise.all([
              page.waitForResponse(/unread-count$/),
              page
                .getByRole("dialog")
                .getByRole("button", { name: /^Send get request/ })
                .click()
            ])
            expect(answer.request().headers()["authorization"]).toBe(`Bearer ${token}`)
            expect([answer.status(), await answer.json()]).toEqual([200, { data: { unread: 0 } }])
            expect([complaints, foreign]).toEqual([[], []])
          })
        })
    )
  })
