import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { ConfigProvider, DateTime, Duration, Effect, Exit, Layer, Schema } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { TestConsole } from "effect/testing"
import { DeadLetterApi, DeliveryApi } from "@beckon/domain/api/DeliveryApi"
import { NotificationApi } from "@beckon/domain/api/NotificationApi"
import { UserId } from "@beckon/domain/Identifiers"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import * as DeadLetterHandlers from "../../src/api/DeadLetterHandlers.ts"
import * as DeliveryHandlers from "../../src/api/DeliveryHandlers.ts"
import * as NotificationHandlers from "../../src/api/NotificationHandlers.ts"
import * as Beckon from "../../src/cli/Beckon.ts"
import * as FailureLine from "../../src/cli/FailureLine.ts"
import { Signals } from "../../src/cli/Signals.ts"
import { ApiServer, layerOf } from "../api/ApiServer.ts"
import { layerNotifications } from "../api/NotificationServices.ts"
import { tenantId } from "../mailbox/Fixture.ts"

const api = HttpApi.make("beckon")
  .add(DeliveryApi)
  .add(DeadLetterApi)
  .add(NotificationApi)
  .middleware(HttpApiMiddleware.ProblemDetails)

const handlers = Layer.mergeAll(DeliveryHandlers.layer, DeadLetterHandlers.layer, NotificationHandlers.layer)

const served = layerOf(api, handlers).pipe(
  Layer.provideMerge(layerNotifications),
  Layer.provideMerge(NodeServices.layer)
)

/** Runs a command line against the server, as a service of the tenant. */
const run = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const { tokenOf, url } = yield* ApiServer
  const token = yield* tokenOf({})
  return yield* Effect.gen(function* () {
    const exit = yield* Effect.exit(Beckon.run([...args, "--url", url, "--token", token]))
    return {
      code: FailureLine.exitCodeOf(exit),
      line: Exit.isFailure(exit) ? FailureLine.line(exit.cause) : undefined,
      stdout: (yield* TestConsole.logLines).join("\n")
    }
  }).pipe(
    Effect.provide([
      ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} })),
      Signals.layerOf(Effect.never),
      TestConsole.layer
    ])
  )
})

/** Mails of a user that his provider has refused for good. */
const refusedMails = Effect.fnUntraced(function* (user: string, count: number) {
  const store = yield* DeliveryStore
  const now = yield* DateTime.now
  const one = { channel: "email", target: { _tag: "User" }, condition: "always", urgency: 5, dueAt: now } as const
  const ids = yield* store.add(
    Array.from({ length: count }, () => ({ tenantId, userId: UserId.make(user), delivery: one, content: {} })),
    now
  )
  const claimed = yield* store.claim({
    channels: ["email"],
    limit: 100,
    now,
    lease: Duration.minutes(1),
    worker: "test"
  })
  const detail = "no such user"
  const attempts = [
    { provider: "smtp", outcome: "unreachable", code: "550", detail, durationMs: 8.4, at: now }
  ] as const
  yield* store.report(
    claimed.map(({ attempt, delivery: { id } }) => ({
      id,
      attempt,
      attempts,
      result: { _tag: "Dead", reason: "550", detail }
    })),
    now
  )
  return ids
})

const decodeJson = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Unknown))

layer(served, { excludeTestServices: true, timeout: "60 seconds" })("the commands for deliveries", (it) => {
  it.effect("list and show dead letters, send them again and are done with them", () =>
    Effect.gen(function* () {
      const [first, second, third] = yield* refusedMails("ann", 3)
      if (first === undefined || second === undefined || third === undefined) return assert.fail()
      const listed = yield* run("dead-letters", "list", "--channel", "email")
      const lines = listed.stdout.split("\n")
      assert.match(lines[0] ?? "", /^ID +UPDATED +CHANNEL +TO +STATE +TRIES +PROVIDER +REASON$/)
      assert.match(lines[1] ?? "", new RegExp(`^${third} +.*Z +email +ann +dead +1 +smtp +550$`))
      assert.deepStrictEqual([lines.length, lines[4], listed.code], [5, "3 shown", 0])
      const shown = (yield* run("dead-letters", "show", first)).stdout.split("\n")
      assert.strictEqual(shown[0], `${first}: email to ann, dead (550: no such user), 1 tries`)
      assert.match(shown[2] ?? "", /attempt +smtp +unreachable +550 +8 ms +no such user$/)
      assert.strictEqual((yield* run("dead-letters", "replay", first)).stdout, "Sent again: 1")
      assert.strictEqual((yield* run("dead-letters", "replay", first)).stdout, "Sent again: 0")
      assert.strictEqual((yield* run("dead-letters", "discard", second)).stdout, "Discarded: 1")
      const again = yield* run("dead-letters", "replay", "--all", "--channel", "email", "--json")
      const { data } = Object(decodeJson(again.stdout))
      assert.deepStrictEqual(
        data.map(({ id }: { readonly id: string }) => id),
        [third]
      )
      assert.strictEqual((yield* run("dead-letters", "list")).stdout, "0 shown")
    })
  )

  it.effect("list and show deliveries, and say whether anything is lost", () =>
    Effect.gen(function* () {
      const [id] = yield* refusedMails("bob", 1)
      if (id === undefined) return assert.fail()
      const listed = yield* run("deliveries", "list", "--user", "bob", "--state", "dead", "--json")
      assert.deepInclude(Object(decodeJson(listed.stdout)).data[0], { id, user_id: "bob", state: "dead" })
      assert.match((yield* run("deliveries", "show", id)).stdout, /^[^ ]+: email to bob, dead/)
      const reconciled = yield* run("deliveries", "reconcile")
      assert.match(reconciled.stdout, /^Nothing is lost; \d+ under way$/)
      assert.strictEqual(reconciled.code, 0)
      const missing = yield* run("deliveries", "show", "nothing")
      assert.deepStrictEqual(
        [missing.code, missing.line],
        [1, "There is no such thing, or it is not yours: id: no delivery of your tenant has this id"]
      )
    })
  )

  it.effect("send a template with its variables, once for a key", () =>
    Effect.gen(function* () {
      const template = ["send", "cid", "--template", "welcome", "--var", "name=Cid", "--dedupe-key", "k"]
      const sent = yield* run(...template)
      assert.strictEqual(sent.code, 0, sent.line)
      assert.match(sent.stdout, /^Sent to cid: [0-9a-f-]{36}$/)
      assert.match((yield* run(...template)).stdout, /^Was sent before to cid: /)
      const refused = yield* run("send", "cid", "--template", "nothing")
      assert.strictEqual(refused.code, 1)
      assert.match(refused.line ?? "", /template_code: .*nothing/)
    })
  )
})
