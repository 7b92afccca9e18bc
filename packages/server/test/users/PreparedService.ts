/**
 * An HTTP service on loopback that answers as it was told beforehand, one answer for each request.
 */
import { Effect } from "effect"
import { createServer } from "node:http"
import type { IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"

export const start = Effect.gen(function* () {
  const seen: Array<{ readonly path: string; readonly headers: IncomingHttpHeaders }> = []
  const replies: Array<{ readonly status: number; readonly body: string }> = []
  const server = createServer(({ headers, url = "" }, response) => {
    seen.push({ path: url, headers })
    const { body, status } = replies.shift() ?? { status: 599, body: "nothing was prepared" }
    response.writeHead(status, { "content-type": "application/json" }).end(body)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    prepare: (status: number, body: string) => void replies.push({ status, body })
  }
})
