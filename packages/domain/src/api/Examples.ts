/**
 * The example of every operation, by `operationId`, in an order in which they can be carried out one after the other.
 */
import type { Examples } from "./Example.ts"
import { content, credentials, tenants } from "./ExamplesOfAdmins.ts"
import { batches, deliveries, notifications, users, webhooks } from "./ExamplesOfServices.ts"
import { callbacks, removals, systems } from "./ExamplesOfSystems.ts"
import { friends, inbox } from "./ExamplesOfUsers.ts"

export const examples: Examples = {
  ...users,
  ...notifications,
  ...inbox,
  ...friends,
  ...batches,
  ...webhooks,
  ...deliveries,
  ...content,
  ...credentials,
  ...callbacks,
  ...removals,
  // Last, since then the shop's users are those of its own service.
  ...tenants,
  ...systems
}
