import { batchQueryPlans } from "./QueryPlansBatches.ts"
import { layerPglite } from "./SqlStores.ts"

batchQueryPlans("20,000 batches on PGlite", layerPglite, 20_000, 180_000)
