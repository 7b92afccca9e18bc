import { assert, describe, it } from "vitest"
import { App, us_listen_socket_close, us_socket_local_port } from "uWebSockets.js"
import { socketPath, subprotocol } from "@beckon/domain/InboxRpcs"
import { connect } from "../src/Inbox.ts"
import { FakeInboxServer } from "./FakeInboxServer.ts"
import type { Session } from "./FakeInboxServer.ts"

interface Data {
  readonly token: string
  session?: Session
}

/** The fake behind a real listener, with the server's own upgrade rules. */
const listen = (server: FakeInboxServer) => {
  const app = App()
    .get(socketPath, (response, request) => {
      server.probes += 1
      const token = request.getHeader("authorization").slice("Bearer ".length)
      const status = server.refused.get(token) ?? 426
      response
        .writeStatus(String(status))
        .writeHeader("content-type", "application/problem+json")
        .end(JSON.stringify({ detail: `refused with ${status}` }))
    })
    .ws<Data>(socketPath, {
      upgrade: (response, request, context) => {
        const [protocol, bearer] = request.getHeader("sec-websocket-protocol").split(", ")
        const token = bearer?.slice("bearer.".length) ?? ""
        if (protocol !== subprotocol || server.refused.has(token)) return void response.writeStatus("401").end()
        const key = request.getHeader("sec-websocket-key")
        response.upgrade<Data>({ token }, key, subprotocol, "", context)
      },
      open: (ws) => {
        const data = ws.getUserData()
        const carrier = {
          send: (text: string) => void ws.send(text),
          close: (code: number, reason: string) => (code === 1006 ? ws.close() : ws.end(code, reason))
        }
        data.session = server.connect(carrier, data.token)
      },
      message: (ws, message) => ws.getUserData().session?.receive(new TextDecoder().decode(message)),
      close: (ws) => ws.getUserData().session?.gone()
    })
  return new Promise<{ readonly url: string; readonly [Symbol.dispose]: () => void }>((resolve) =>
    app.listen("127.0.0.1", 0, (socket) => {
      if (socket === false) throw new Error("could not listen")
      resolve({
        url: `http://127.0.0.1:${us_socket_local_port(socket)}`,
        [Symbol.dispose]: () => us_listen_socket_close(socket)
      })
    })
  )
}

describe("Inbox over a real socket", () => {
  it("gets everything once, also across a cut and a close by the server", async () => {
    const server = new FakeInboxServer()
    using listener = await listen(server)
    server.push()
    const inbox = connect({ url: listener.url, token: "t1", backoff: { base: 0 } })
    const got: Array<number> = []
    for await (const { seq } of inbox) {
      got.push(seq)
      if (seq === 2) server.session.close(1006, "")
      if (seq === 4) server.session.close(4000, "server is going away")
      if (seq === 6) break
      server.push()
    }
    assert.deepStrictEqual(got, [1, 2, 3, 4, 5, 6])
    assert.strictEqual(server.connects, 3)
  })

  it("learns over HTTP why the upgrade is refused, and stops", async () => {
    const server = new FakeInboxServer()
    using listener = await listen(server)
    server.refused.set("t1", 401).set("t2", 401)
    let asked = 0
    const inbox = connect({ url: listener.url, token: () => `t${++asked}` })
    const error: unknown = await inbox[Symbol.asyncIterator]()
      .next()
      .catch((error: unknown) => error)
    assert.include(error, { _tag: "InboxClosed", reason: "refused", code: 401, detail: "refused with 401" })
    assert.strictEqual(server.probes, 2)
    await inbox.close()
  })
})
