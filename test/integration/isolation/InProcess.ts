/**
 * The whole server in the process of the test, which sees each of its statements and each line of its log.
 */
import { NodeServices } from "@effect/platform-node"
import { ConfigProvider, Context, Effect, Layer, Logger } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CurrentTransformer } from "effect/sql/Statement"
import type { Transformer } from "effect/sql/Statement"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import * as Server from "@beckon/server/layers/Server"
import { ServerConfig } from "@beckon/server/layers/ServerConfig"
import * as Storage from "@beckon/server/layers/Storage"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { jwtSecret } from "../road/Road.ts"
import { quoting } from "../secrets/Planted.ts"
import { publicUrl } from "./Deployment.ts"
import { furnish } from "./Furnished.ts"

export const startInProcess = Effect.fnUntraced(function* (
  statements: Transformer,
  loggers: ReadonlyArray<Logger.Logger<unknown, unknown>> = []
) {
  const senders = yield* quoting
  const folder = yield* BeckonProcess.temporaryFolder
  const env = {
    BECKON_DATA_DIR: `${folder}/data`,
    PORT: "0",
    BECKON_JWT_SECRET: jwtSecret,
    BECKON_PUBLIC_URL: publicUrl,
    BECKON_DELIVERY_TRIES: "push=1,sms=1,webhook=1",
    WEBHOOK_ALLOWED_NETWORKS: "127.0.0.0/8"
  }
  const config = ServerConfig.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))
  const app = Server.layer.pipe(
    Layer.provideMerge(Storage.layer),
    Layer.provide([config, NodeServices.layer, Logger.layer(loggers)])
  )
  const services = yield* Effect.provideService(Layer.build(app), CurrentTransformer, statements)
  const port = yield* Context.get(services, UwsServer).port
  const place = { url: `http://127.0.0.1:${port}`, senders, sql: Context.get(services, SqlClient) }
  // At the same time, so that what they share does both's work.
  const [alpha, beta] = yield* Effect.all(
    [
      furnish(place, { tenant: "alpha", mark: "alphamark", adas: "alphaada" }),
      furnish(place, { tenant: "beta", mark: "betamark", adas: "betaada" })
    ],
    { concurrency: 2 }
  )
  return { ...place, alpha, beta }
})
