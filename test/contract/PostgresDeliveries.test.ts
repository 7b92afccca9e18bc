import { deliveriesContract } from "./Deliveries.contract.ts"
import { layerPostgres } from "./SqlStores.ts"

deliveriesContract("PostgreSQL server", layerPostgres)
