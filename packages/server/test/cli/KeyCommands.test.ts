import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { TestConsole } from "effect/testing"
import { ApiKeyApi } from "@beckon/domain/api/ApiKeyApi"
import * as ApiKeyHandlers from "../../src/api/ApiKeyHandlers.ts"
import { Audit } from "../../src/audit/Audit.ts"
import * as Beckon from "../../src/cli/Beckon.ts"
import * as FailureLine from "../../src/cli/FailureLine.ts"
import { Signals } from "../../src/cli/Signals.ts"
import { ApiKeys } from "../../src/identity/ApiKeys.ts"
import { ApiServer, layerOf } from "../api/ApiServer.ts"
import { layerShared } from "../identity/Fixture.ts"

const api = HttpApi.make("beckon").add(ApiKeyApi).middleware(HttpApiMiddleware.ProblemDetails)

const served = layerOf(api, ApiKeyHandlers.layer).pipe(
  Layer.provideMerge(ApiKeys.layer),
  Layer.provideMerge(Audit.layer),
  Layer.provideMerge(layerShared),
  Layer.provideMerge(NodeServices.layer)
)

/** Runs a command line against the server, as an admin of the tenant. */
const run = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const { tokenOf, url } = yield* ApiServer
  const token = yield* tokenOf({ user: "boss", role: "admin" })
  return yield* Effect.gen(function* () {
    const before = (yield* TestConsole.logLines).length
    const exit = yield* Effect.exit(Beckon.run(["keys", ...args, "--url", url, "--token", token]))
    return {
      code: FailureLine.exitCodeOf(exit),
      line: Exit.isFailure(exit) ? FailureLine.line(exit.cause) : undefined,
      stdout: (yield* TestConsole.logLines).slice(before).join("\n")
    }
  }).pipe(
    Effect.provide([
      ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} })),
      Signals.layerOf(Effect.never),
      TestConsole.layer
    ])
  )
})

const idOf = (key: string): string => key.split("_")[1] ?? ""

layer(served)("beckon keys", (it) => {
  it.effect("makes a key, prints nothing else, lists it, gives it a new secret, and revokes it", () =>
    Effect.gen(function* () {
      const made = yield* run("create", "shop", "--scope", "notifications:write", "--ttl", "7d")
      assert.match(made.stdout, /^bk_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}$/)
      const id = idOf(made.stdout)
      const listed = yield* run("list")
      assert.match(listed.stdout, new RegExp(`${id}\\s+shop\\s+service\\s+good\\s.*notifications:write`))
      assert.match(listed.stdout, /1 shown$/)
      assert.notInclude(listed.stdout, made.stdout)
      const keys = yield* ApiKeys
      const fresh = yield* run("rotate", id, "--now")
      assert.strictEqual(idOf(fresh.stdout), id)
      assert.deepInclude(yield* Effect.flip(keys.verify(made.stdout)), { reason: "key: it was replaced by a new one" })
      assert.deepInclude(yield* keys.verify(fresh.stdout), { keyId: id, scopes: ["notifications:write"] })
      assert.match((yield* run("revoke", id)).stdout, new RegExp(`^Revoked: ${id} \\(shop\\)$`))
      assert.match((yield* run("list")).stdout, new RegExp(`${id}.*revoked`))
      assert.deepInclude(yield* run("rotate", id), { code: 1 })
    })
  )

  it.effect("says which flag is wrong, and what the server refuses", () =>
    Effect.gen(function* () {
      for (const [args, says] of [
        [["create", "shop", "--scope", "everything"], /events:write/],
        [["create", "shop", "--ttl", "forever"], /Expected a duration/],
        [["create", "shop", "--role", "platform"], /service/]
      ] as const) {
        const { code } = yield* run(...args)
        assert.strictEqual(code, 2, JSON.stringify(args))
        assert.match((yield* TestConsole.errorLines).slice(-9).join("\n"), says)
      }
      const missing = yield* run("revoke", "nothing")
      assert.strictEqual(missing.code, 1)
      assert.match(String(missing.line), /no API key of your tenant has this id/)
    })
  )
})
