import { assert, describe, it } from "vitest"
import { connect } from "../src/Inbox.ts"
import type { ConnectOptions, InboxState } from "../src/Inbox.ts"
import { FakeInboxServer } from "./FakeInboxServer.ts"
import { inMemoryWebSocket } from "./InMemoryWebSocket.ts"

const open = (server: FakeInboxServer, options: Partial<ConnectOptions> = {}) =>
  connect({
    url: "https://beckon.test",
    token: "t1",
    WebSocket: inMemoryWebSocket(server),
    fetch: server.fetch,
    ackDelay: 0,
    ...options
  })

const acknowledged = (server: FakeInboxServer) =>
  server.log.filter((call) => call.tag === "Acknowledge").map((call) => call.payload["position"])

describe("Inbox", () => {
  it("iterates notifications, and leaving the loop acknowledges what was had and closes", async () => {
    const server = new FakeInboxServer()
    for (let i = 0; i < 5; i++) server.push()
    const inbox = open(server, { position: { epoch: "e1", seq: 0 } })
    const got: Array<string> = []
    for await (const notification of inbox) {
      got.push(notification.id)
      if (got.length === 3) break
    }
    assert.deepStrictEqual(got, ["n1", "n2", "n3"])
    assert.deepStrictEqual(inbox.position, { epoch: "e1", seq: 3 })
    assert.deepStrictEqual(acknowledged(server).at(-1), { epoch: "e1", seq: 3 })
    assert.strictEqual(inbox.state.status, "closed")
    assert.strictEqual(server.sessions.size, 0)
  })

  it("tells listeners of notifications, changes and states", async () => {
    const server = new FakeInboxServer()
    const inbox = open(server, { token: () => Promise.resolve("t1") })
    const states: Array<InboxState["status"]> = []
    inbox.on("state", ({ status }) => void (states.at(-1) !== status && states.push(status)))
    const both = new Promise<ReadonlyArray<unknown>>((resolve) => {
      const got: Array<unknown> = []
      inbox.on("notification", ({ id }, unread) => got.push([id, unread]))
      inbox.on("changed", (change) => {
        got.push(change.rev)
        resolve(got)
      })
      inbox.on("event", (event) => {
        if (event._tag !== "CaughtUp") return
        server.push()
        server.changed(["n1"])
      })
    })
    assert.deepStrictEqual(await both, [["n1", 1], 1])
    await inbox.close()
    assert.deepStrictEqual(states, ["connecting", "live", "closed"])
  })

  it("does not tell a listener that has stopped, and survives one that throws", async () => {
    const server = new FakeInboxServer()
    for (let i = 0; i < 3; i++) server.push()
    const inbox = open(server)
    let calls = 0
    const stop = inbox.on("notification", () => {
      calls += 1
      stop()
      throw new Error("a listener's own fault")
    })
    const iterator = inbox[Symbol.asyncIterator]()
    for (const id of ["n1", "n2", "n3"]) assert.strictEqual((await iterator.next()).value?.id, id)
    assert.strictEqual(calls, 1)
    await inbox.close()
    assert.deepStrictEqual(await iterator.next(), { done: true, value: undefined })
  })

  it("answers calls, and rejects with the typed error", async () => {
    const server = new FakeInboxServer()
    server.push()
    await using inbox = open(server)
    assert.strictEqual(await inbox.unreadCount(), 1)
    const error: unknown = await inbox.markRead([]).catch((error: unknown) => error)
    assert.include(error, { _tag: "BadRequest" })
  })

  it("throws from the loop when it gives up", async () => {
    const server = new FakeInboxServer()
    server.refused.set("t1", 401)
    const inbox = open(server)
    const error: unknown = await inbox[Symbol.asyncIterator]()
      .next()
      .catch((error: unknown) => error)
    assert.include(error, { _tag: "InboxClosed", reason: "refused" })
    await inbox.close()
  })

  it("closes by its signal", async () => {
    const server = new FakeInboxServer()
    const controller = new AbortController()
    const inbox = open(server, { signal: controller.signal })
    const waiting = inbox[Symbol.asyncIterator]().next()
    controller.abort()
    assert.deepStrictEqual(await waiting, { done: true, value: undefined })
    await inbox.close()
    assert.strictEqual(inbox.state.status, "closed")
  })

  it("refuses a malformed url at once", () => {
    assert.throws(() => open(new FakeInboxServer(), { url: "not a url" }), TypeError)
  })
})
