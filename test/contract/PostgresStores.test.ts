import { layerPostgres } from "./SqlStores.ts"
import { storesContract } from "./Stores.contract.ts"

storesContract("PostgreSQL server", layerPostgres)
