import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { InboxClient } from "@beckon/client/InboxClient"
import { rawSocket, clientFrame } from "./RawSocket.ts"
import { Road, rssOf, send, token } from "./Road.ts"

const count = 1_100
const padding = "x".repeat(15_000)

layer(Road.layer, { timeout: "60 seconds", excludeTestServices: true })("a client that stops reading", (it) => {
  it.effect("is closed at a bounded cost of memory, and gets everything when it comes back", () =>
    Effect.gen(function* () {
      const { pid, port, url } = yield* Road
      const slow = yield* rawSocket(port, token({ sub: "slow" }))
      slow.write(clientFrame(JSON.stringify({ _tag: "Request", id: 1, tag: "Subscribe", payload: {}, headers: [] })))
      const caughtUp = yield* slow.until((text) => text.includes('"CaughtUp"'))
      const { epoch } = JSON.parse(caughtUp ?? "").values[0].position
      slow.socket.pause()

      // What the server costs with this load alone, before the slow client's share.
      const push = (user: string) =>
        Effect.forEach(
          Array.from({ length: count }),
          () => send(user, { message: "x".repeat(4_000), data: { padding } }),
          { concurrency: 16, discard: true }
        )
      yield* push("nobody")
      const before = rssOf(pid)
      yield* push("slow")
      const after = rssOf(pid)
      slow.socket.resume()
      const code = yield* slow.closed
      assert.include([4001, 1006], code)
      assert.isBelow(after - before, 150)

      const seqs = slow.texts.flatMap((text): ReadonlyArray<number> =>
        JSON.parse(text).values.flatMap(
          (frame: { _tag: string; notification?: { seq: number } }) => frame.notification?.seq ?? []
        )
      )
      assert.isBelow(seqs.length, count)
      assert.deepStrictEqual(
        seqs,
        Array.from({ length: seqs.length }, (_, index) => index + 1)
      )

      const client = yield* InboxClient.make({
        url,
        token: token({ sub: "slow" }),
        position: { epoch, seq: seqs.length, rev: 0 }
      })
      const all = yield* Deferred.make<void>()
      const recovered: Array<boolean> = []
      yield* Effect.forkScoped(
        Stream.runForEach(client.frames, (event) =>
          Effect.sync(() => {
            if (event._tag === "Subscribed") recovered.push(event.recovered)
            if (event._tag === "Notification" && seqs.push(event.notification.seq) === count)
              Deferred.doneUnsafe(all, Effect.void)
          })
        )
      )
      yield* Deferred.await(all)
      assert.deepStrictEqual(
        seqs,
        Array.from({ length: count }, (_, index) => index + 1)
      )
      assert.deepStrictEqual(recovered, [true])
      const pushed = ((count * (padding.length + 4_200)) / 1024 / 1024).toFixed(0)
      yield* Effect.logInfo(
        `${pushed} MB pushed; closed with ${code}; RSS ${before.toFixed(0)} to ${after.toFixed(0)} MB`
      )
    })
  )
})
