import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import path from "node:path"
import * as BeckonProcess from "../support/BeckonProcess.ts"
import * as Chromium from "../support/Chromium.ts"
import { freshPair, openPage, sendAll } from "./Demo.ts"

/**
 * A port that was free a moment ago. Not 0: sockets of a port that the kernel chose lack SO_REUSEADDR in this binding, so what
 * a killed process leaves of them would keep the port busy for a minute.
 */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

it.live("the demo page comes back and resumes after its server was killed and started again", () =>
  Effect.gen(function* () {
    const dataDir = path.join(yield* BeckonProcess.temporaryFolder, "data")
    const browser = yield* Chromium.launch
    const pair = freshPair()
    const context = yield* Effect.promise(() => browser.newContext({ viewport: { width: 1280, height: 900 } }))
    const port = yield* freePort
    const demo = yield* Effect.scoped(
      Effect.gen(function* () {
        const server = yield* BeckonProcess.start({ dataDir, port })
        const demo = yield* Effect.promise(() => openPage(context, server.url, pair))
        yield* sendAll(server, `bob-${pair}`, ["before"])
        yield* Effect.promise(() => demo.bob.unread(1))
        yield* server.kill("SIGKILL")
        yield* server.exit
        return demo
      })
    )
    // "Offline" between attempts, "Connecting" during one.
    yield* Effect.promise(() => demo.bob.region.locator(".status", { hasText: /Offline|Connecting/ }).waitFor())
    yield* Effect.promise(() => demo.screenshot("server-killed"))

    const server = yield* BeckonProcess.start({ dataDir, port })
    yield* sendAll(server, `bob-${pair}`, ["while the page was on its way"])
    yield* Effect.promise(async () => {
      await Promise.all([demo.alice.status("Live"), demo.bob.status("Live")])
      await demo.bob.unread(2)
      await demo.bob.place(/Position 2.*recovered/)
      expect(await demo.bob.messages()).toEqual(["while the page was on its way", "before"])
      await demo.alice.befriend.click()
      await demo.bob.unread(3)
      await demo.screenshot("server-back")
      expect(demo.complaints.filter((text) => !/ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_ABORTED/.test(text))).toEqual([])
    })
  })
)
