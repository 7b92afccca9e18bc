import { queryPlans } from "./QueryPlans.ts"
import { layerPostgres } from "./SqlStores.ts"

const size = { notifications: 980_000, users: 20_000, ofOne: 20_000, others: 100_000 }

queryPlans("1,000,000 notifications on a server", layerPostgres, size, 180_000)
