import { deliveryQueryPlans } from "./QueryPlansDeliveries.ts"
import { layerPglite, layerPostgres } from "./SqlStores.ts"

deliveryQueryPlans(
  "60,000 deliveries on PGlite",
  layerPglite,
  { closed: 50_000, later: 6_000, due: 4_000, others: 20_000 },
  180_000
)

deliveryQueryPlans(
  "1,000,000 deliveries on a server",
  layerPostgres,
  { closed: 950_000, later: 30_000, due: 20_000, others: 100_000 },
  180_000
)
