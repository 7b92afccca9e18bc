import { personalDataContract } from "./PersonalData.contract.ts"
import { layerPglite, layerPostgres } from "./SqlStores.ts"

personalDataContract("PGlite", layerPglite)
personalDataContract("PostgreSQL", layerPostgres)
