/**
 * All SQL stores over one database that has Beckon's tables.
 */
import type { DatabaseServices } from "@beckon/infra/postgres/DatabaseClient"
import { layerEmbedded, layerServer } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import * as SqlApiKeyStore from "@beckon/infra/postgres/SqlApiKeyStore"
import * as SqlAuditLog from "@beckon/infra/postgres/SqlAuditLog"
import * as SqlBatchStore from "@beckon/infra/postgres/SqlBatchStore"
import * as SqlDeadLetters from "@beckon/infra/postgres/SqlDeadLetters"
import * as SqlDeliveryStore from "@beckon/infra/postgres/SqlDeliveryStore"
import * as SqlDeviceStore from "@beckon/infra/postgres/SqlDeviceStore"
import * as SqlEventOutbox from "@beckon/infra/postgres/SqlEventOutbox"
import * as SqlFriendshipStore from "@beckon/infra/postgres/SqlFriendshipStore"
import * as SqlIdempotencyStore from "@beckon/infra/postgres/SqlIdempotencyStore"
import * as SqlLookupStore from "@beckon/infra/postgres/SqlLookupStore"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import * as SqlNotificationStore from "@beckon/infra/postgres/SqlNotificationStore"
import * as SqlPersonalData from "@beckon/infra/postgres/SqlPersonalData"
import * as SqlPreferenceStore from "@beckon/infra/postgres/SqlPreferenceStore"
import * as SqlRevocationStore from "@beckon/infra/postgres/SqlRevocationStore"
import * as SqlProviderAccountStore from "@beckon/infra/postgres/SqlProviderAccountStore"
import * as SqlRetentionStore from "@beckon/infra/postgres/SqlRetentionStore"
import * as SqlRoutingPolicyStore from "@beckon/infra/postgres/SqlRoutingPolicyStore"
import * as SqlScheduleStore from "@beckon/infra/postgres/SqlScheduleStore"
import * as SqlTemplateStore from "@beckon/infra/postgres/SqlTemplateStore"
import * as SqlTenantSecretStore from "@beckon/infra/postgres/SqlTenantSecretStore"
import * as SqlTenantStore from "@beckon/infra/postgres/SqlTenantStore"
import * as SqlTrackingGrants from "@beckon/infra/postgres/SqlTrackingGrants"
import * as SqlUserDirectory from "@beckon/infra/postgres/SqlUserDirectory"
import * as SqlWebhookEndpointStore from "@beckon/infra/postgres/SqlWebhookEndpointStore"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import { Effect, Layer, Redacted } from "effect"
import { startPostgres } from "../../packages/infra/test/postgres/PostgresProcess.ts"

const secret = Redacted.make(new Uint8Array(32).fill(7))

/** All stores over a database that is empty. */
export const overDatabase = <E>(database: Layer.Layer<DatabaseServices, E>) =>
  Layer.mergeAll(
    SqlNotificationStore.layer,
    SqlDeviceStore.layer,
    SqlPreferenceStore.layer,
    SqlUserDirectory.layer,
    SqlTenantStore.layer,
    SqlLookupStore.layer,
    SqlTenantSecretStore.layer,
    SqlAuditLog.layer,
    SqlApiKeyStore.layer,
    SqlRevocationStore.layer,
    SqlProviderAccountStore.layer,
    SqlRoutingPolicyStore.layer,
    SqlTemplateStore.layer,
    SqlWebhookEndpointStore.layer,
    SqlFriendshipStore.layer,
    SqlEventOutbox.layer,
    SqlTrackingGrants.layer,
    SqlDeadLetters.layer,
    SqlIdempotencyStore.layer,
    SqlDeliveryStore.layer({ announceToBus: true }),
    SqlBatchStore.layer,
    SqlScheduleStore.layer,
    SqlRetentionStore.layer,
    SqlPersonalData.layer
  ).pipe(
    Layer.provideMerge(Layer.effectDiscard(runMigrations(migrations))),
    Layer.provideMerge(Layer.mergeAll(database, TokenCipher.layer(secret)))
  )

/** PGlite in memory. */
export const layerPglite = overDatabase(layerEmbedded({ dataDir: "memory" }))

/** A PostgreSQL server of its own. */
export const layerPostgres = overDatabase(
  Layer.unwrap(Effect.map(startPostgres, ({ url }) => layerServer({ url, maxConnections: 10 })))
)
