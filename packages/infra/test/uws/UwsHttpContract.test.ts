import { describe } from "@effect/vitest"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import { Layer } from "effect"
import { createServer } from "node:http"
import { httpContract } from "./HttpContract.ts"

describe("UwsHttpServer", () => {
  httpContract(
    UwsHttpServer.layer().pipe(Layer.provide(UwsServer.layer({ host: "127.0.0.1", port: 0, maxBodyBytes: 30_000_000 })))
  )
})

// The same promises hold where effect/http comes from.
describe("NodeHttpServer", () => {
  httpContract(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 100 }))
})
