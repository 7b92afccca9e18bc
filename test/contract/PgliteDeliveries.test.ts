import { deliveriesContract } from "./Deliveries.contract.ts"
import { layerPglite } from "./SqlStores.ts"

deliveriesContract("PGlite in memory", layerPglite)
