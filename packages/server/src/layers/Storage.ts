/**
 * The database and every store on it: PGlite in the process, or a PostgreSQL server.
 */
import { Console, Effect, Layer, Option } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import * as DatabaseClient from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import type { DataDirectoryError, PgliteProgress } from "@beckon/infra/postgres/PgliteDatabase"
import { refuseUnfinished } from "@beckon/infra/postgres/DatabaseCopyProgress"
import * as PgliteMaintenance from "@beckon/infra/postgres/PgliteMaintenance"
import type { DatabaseUrlInvalid } from "@beckon/infra/postgres/PostgresServer"
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
import * as SqlRetentionStore from "@beckon/infra/postgres/SqlRetentionStore"
import * as SqlPreferenceStore from "@beckon/infra/postgres/SqlPreferenceStore"
import * as SqlRevocationStore from "@beckon/infra/postgres/SqlRevocationStore"
import * as SqlProviderAccountStore from "@beckon/infra/postgres/SqlProviderAccountStore"
import * as SqlRoutingPolicyStore from "@beckon/infra/postgres/SqlRoutingPolicyStore"
import * as SqlScheduleStore from "@beckon/infra/postgres/SqlScheduleStore"
import * as SqlTemplateStore from "@beckon/infra/postgres/SqlTemplateStore"
import * as SqlTenantSecretStore from "@beckon/infra/postgres/SqlTenantSecretStore"
import * as SqlTenantStore from "@beckon/infra/postgres/SqlTenantStore"
import * as SqlTrackingGrants from "@beckon/infra/postgres/SqlTrackingGrants"
import * as SqlUserDirectory from "@beckon/infra/postgres/SqlUserDirectory"
import * as SqlWebhookEndpointStore from "@beckon/infra/postgres/SqlWebhookEndpointStore"
import { Audit } from "../audit/Audit.ts"
import * as Resealing from "../providers/Resealing.ts"
import * as Bus from "./Bus.ts"
import { layerCipher } from "./Secrets.ts"
import { ServerConfig } from "./ServerConfig.ts"
import type { ServerConfigShape } from "./ServerConfig.ts"

const progressLine = (step: PgliteProgress, dataDir: string): string | undefined => {
  switch (step) {
    case "creating":
      return `Creating the database in ${dataDir} (only the first time, a few seconds) …`
    case "opening":
    case "ready":
      return undefined
  }
}

/** The database of the configuration, without migrations. */
const databaseOf = (
  config: ServerConfigShape
): Layer.Layer<DatabaseClient.DatabaseServices, DataDirectoryError | DatabaseUrlInvalid | SqlError> =>
  Option.match(config.databaseUrl, {
    onSome: (url) =>
      DatabaseClient.layerServer({
        url,
        minConnections: config.databasePoolSize,
        maxConnections: config.databasePoolMax,
        acquireTimeout: config.databaseAcquireTimeout,
        connectionTTL: config.databaseRecycleAfter,
        prePing: config.databasePrePing
      }),
    onNone: () =>
      DatabaseClient.layerEmbedded({
        dataDir: config.dataDir,
        flushCommits: config.flushCommits,
        onProgress: (step) => {
          const line = progressLine(step, config.dataDir)
          return line === undefined ? Effect.void : Console.error(line)
        }
      })
  })

export const layerDatabase = Layer.unwrap(Effect.map(ServerConfig, databaseOf))

/** Brings the database to this version's schema, and tells what it did. */
export const migrate = runMigrations(migrations)

const layerMigrated = Layer.effectDiscard(
  Effect.gen(function* () {
    const applied = yield* migrate
    if (applied.length > 0) yield* Console.error(`Migrated the database: ${applied.map(({ name }) => name).join(", ")}`)
    yield* refuseUnfinished
  })
)

const layerDeliveries = Layer.unwrap(
  Effect.map(ServerConfig, ({ deliveryEvents }) => SqlDeliveryStore.layer({ announceToBus: deliveryEvents }))
)

const layerStores = Layer.mergeAll(
  layerDeliveries,
  SqlBatchStore.layer,
  SqlScheduleStore.layer,
  SqlProviderAccountStore.layer,
  SqlRoutingPolicyStore.layer,
  SqlTemplateStore.layer,
  SqlWebhookEndpointStore.layer,
  SqlNotificationStore.layer,
  SqlFriendshipStore.layer,
  SqlEventOutbox.layer,
  SqlDeviceStore.layer,
  SqlPersonalData.layer,
  SqlRetentionStore.layer,
  SqlPreferenceStore.layer,
  SqlUserDirectory.layer,
  SqlIdempotencyStore.layer,
  SqlTenantStore.layer,
  SqlLookupStore.layer,
  SqlTenantSecretStore.layer,
  SqlAuditLog.layer,
  SqlApiKeyStore.layer,
  SqlRevocationStore.layer,
  SqlTrackingGrants.layer,
  SqlDeadLetters.layer
)

const layerMaintenance = Layer.unwrap(
  Effect.map(ServerConfig, ({ databaseUrl }) =>
    // On a server of its own `beckon keyring rotate` comes when all nodes have the new key, and not with the first that has it.
    Option.isNone(databaseUrl) ? Layer.merge(PgliteMaintenance.layer, Resealing.layer) : Layer.empty
  )
)

/** Stores on the migrated database, and the bus. */
export const layer = Bus.layer.pipe(
  Layer.provideMerge(layerStores),
  Layer.merge(layerMaintenance),
  Layer.provide(layerMigrated),
  Layer.provide(layerCipher),
  Layer.provideMerge(layerDatabase)
)

/** What `beckon seed` writes through: no bus, no secrets, and no migration before it is asked for. */
export const layerSeeds = Audit.layer.pipe(
  Layer.provideMerge(
    Layer.mergeAll(
      SqlTenantStore.layer,
      SqlLookupStore.layer,
      SqlUserDirectory.layer,
      SqlPreferenceStore.layer,
      SqlTemplateStore.layer,
      SqlAuditLog.layer
    )
  ),
  Layer.provideMerge(layerDatabase)
)
