import { queryPlans } from "./QueryPlans.ts"
import { layerPglite } from "./SqlStores.ts"

queryPlans(
  "60,000 notifications on PGlite",
  layerPglite,
  { notifications: 60_000, users: 5_000, ofOne: 0, others: 20_000 },
  180_000
)
