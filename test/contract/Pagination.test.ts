import * as MemoryApiKeyStore from "@beckon/infra/memory/MemoryApiKeyStore"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryBatchStore from "@beckon/infra/memory/MemoryBatchStore"
import * as MemoryDeliveryStore from "@beckon/infra/memory/MemoryDeliveryStore"
import * as MemoryFriendshipStore from "@beckon/infra/memory/MemoryFriendshipStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryRoutingPolicyStore from "@beckon/infra/memory/MemoryRoutingPolicyStore"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import { Layer } from "effect"
import { paginationContract } from "./Pagination.contract.ts"
import { layerPglite, layerPostgres } from "./SqlStores.ts"

const layerMemory = MemoryBatchStore.layer.pipe(
  Layer.provideMerge(MemoryDeliveryStore.layer),
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryApiKeyStore.layer,
      MemoryAuditLog.layer,
      MemoryFriendshipStore.layer,
      MemoryNotificationStore.layer,
      MemoryPreferenceStore.layer,
      MemoryRoutingPolicyStore.layer,
      MemoryTemplateStore.layer,
      MemoryTenantStore.layer,
      MemoryUserDirectory.layer,
      MemoryWebhookEndpointStore.layer
    )
  )
)

paginationContract("memory", layerMemory)
paginationContract("PGlite in memory", layerPglite)
paginationContract("PostgreSQL server", layerPostgres)
