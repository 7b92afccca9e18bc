import { Effect, Layer } from "effect"
import { layerServer } from "../../src/postgres/DatabaseClient.ts"
import { startPostgres } from "./PostgresProcess.ts"
import { sqlContract } from "./SqlContract.ts"

sqlContract(
  "SQL on a PostgreSQL server",
  Layer.unwrap(Effect.map(startPostgres, ({ url }) => layerServer({ url, maxConnections: 10 })))
)
