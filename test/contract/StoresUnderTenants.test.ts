import { layerEmbedded } from "@beckon/infra/postgres/DatabaseClient"
import { afterAll, expect } from "@effect/vitest"
import { overDatabase } from "./SqlStores.ts"
import { storesContract } from "./Stores.contract.ts"
import { calls, layerOrdinary, underTenants } from "./UnderTenants.ts"

storesContract("PGlite, as each tenant", underTenants(overDatabase(layerEmbedded({ dataDir: "memory" }))))

storesContract(
  "PostgreSQL server with an ordinary login, as each tenant",
  underTenants(overDatabase(layerOrdinary(10)))
)

afterAll(() => {
  // Otherwise the contracts would have run as the system once more.
  expect(calls.tenant).toBeGreaterThan(4 * calls.system)
})
