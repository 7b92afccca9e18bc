import { layerPglite } from "./SqlStores.ts"
import { storesContract } from "./Stores.contract.ts"

storesContract("PGlite in memory", layerPglite)
