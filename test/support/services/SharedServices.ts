/**
 * One server per run for all test files: started by the first test that wants it, stopped when the run ends.
 *
 * **Details**
 *
 * A vitest global setup. It listens on a loopback port that the tests get by `inject`; a request for `/redis`, `/postgres` or
 * `/kafka` is answered with the address once the service is ready, or with why it cannot be had.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { TestProject } from "vitest/node"
import { locate } from "./Locate.ts"
import type { Located, ServiceName } from "./Locate.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where the shared services are asked for. */
    beckonServices: string
  }
}

const names: ReadonlySet<string> = new Set<ServiceName>(["postgres", "redis", "kafka"])
const isName = (name: string): name is ServiceName => names.has(name)

export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  const started = new Map<ServiceName, Promise<Located>>()
  const get = (name: ServiceName): Promise<Located> => {
    const known = started.get(name)
    if (known !== undefined) return known
    const starting = locate(name)
    started.set(name, starting)
    return starting
  }
  const server = createServer((request, response) => {
    const name = request.url?.slice(1) ?? ""
    if (!isName(name)) return void response.writeHead(404).end()
    get(name).then(
      ({ source, url }) => response.end(JSON.stringify({ source, url })),
      (error) => response.writeHead(503).end(error instanceof Error ? error.message : String(error))
    )
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  provide("beckonServices", `http://127.0.0.1:${port}`)
  return async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    // One that could not be started has been reported to whoever asked for it.
    const located = await Promise.allSettled(started.values())
    for (const one of located) if (one.status === "fulfilled") await one.value.control?.dispose()
  }
}
