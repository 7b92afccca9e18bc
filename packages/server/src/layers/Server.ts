/**
 * The whole server, put together. This folder is the only place where layers are bound.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Duration, Effect, Layer, Option } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { uploadPath } from "@beckon/domain/api/BulkApi"
import * as MemoryTopicSnapshots from "@beckon/infra/memory/MemoryTopicSnapshots"
import { partitionCount } from "@beckon/domain/MailboxKey"
import * as MemoryPresence from "@beckon/infra/memory/MemoryPresence"
import * as RedisPresence from "@beckon/infra/redis/RedisPresence"
import { RedisClient } from "@beckon/infra/redis/RedisClient"
import * as RedisTopicSnapshots from "@beckon/infra/redis/RedisTopicSnapshots"
import * as RedisRunnerStorage from "@beckon/infra/redis/RedisRunnerStorage"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import * as ApiKeyHandlers from "../api/ApiKeyHandlers.ts"
import * as AdminHandlers from "../api/AdminHandlers.ts"
import * as AuthorizationLive from "../api/AuthorizationLive.ts"
import * as BulkHandlers from "../api/BulkHandlers.ts"
import * as BatchHandlers from "../api/BatchHandlers.ts"
import * as AuditHandlers from "../api/AuditHandlers.ts"
import * as CallbackHandlers from "../api/CallbackHandlers.ts"
import * as DeadLetterHandlers from "../api/DeadLetterHandlers.ts"
import * as DeliveryHandlers from "../api/DeliveryHandlers.ts"
import * as Documentation from "../api/Documentation.ts"
import * as FriendshipHandlers from "../api/FriendshipHandlers.ts"
import * as LookupHandlers from "../api/LookupHandlers.ts"
import * as MeHandlers from "../api/MeHandlers.ts"
import * as MetricsHandlers from "../api/MetricsHandlers.ts"
import * as NotificationHandlers from "../api/NotificationHandlers.ts"
import * as Pages from "../api/Pages.ts"
import * as PresenceHandlers from "../api/PresenceHandlers.ts"
import * as PersonalDataHandlers from "../api/PersonalDataHandlers.ts"
import * as ProviderHandlers from "../api/ProviderHandlers.ts"
import * as PushTopicHandlers from "../api/PushTopicHandlers.ts"
import { Readiness } from "../api/Readiness.ts"
import { routerConfig } from "../api/Router.ts"
import * as RevocationHandlers from "../api/RevocationHandlers.ts"
import * as RoutingHandlers from "../api/RoutingHandlers.ts"
import * as SenderHandlers from "../api/SenderHandlers.ts"
import * as SystemHandlers from "../api/SystemHandlers.ts"
import * as TemplateHandlers from "../api/TemplateHandlers.ts"
import * as TenantHandlers from "../api/TenantHandlers.ts"
import * as UserHandlers from "../api/UserHandlers.ts"
import * as WebhookHandlers from "../api/WebhookHandlers.ts"
import { Audit } from "../audit/Audit.ts"
import { Endpoints } from "../delivery/Endpoints.ts"
import { Friendships } from "../friendship/Friendships.ts"
import { Gateway } from "../gateway/Gateway.ts"
import { GatewaySettings } from "../gateway/GatewaySettings.ts"
import * as InboxCalls from "../gateway/InboxCalls.ts"
import * as Links from "../gateway/Links.ts"
import { Outboxes } from "../gateway/Outboxes.ts"
import { PresenceKeeper } from "../gateway/PresenceKeeper.ts"
import * as RemoteOutlet from "../gateway/RemoteOutlet.ts"
import * as Sessions from "../gateway/Sessions.ts"
import { Audiences } from "../inbox/Audiences.ts"
import { Lookups } from "../lookups/Lookups.ts"
import { Inbox } from "../inbox/Inbox.ts"
import { Notifications } from "../inbox/Notifications.ts"
import { Sender } from "../inbox/Sender.ts"
import { Wording } from "../inbox/Wording.ts"
import { EventIngest } from "../ingest/EventIngest.ts"
import { OutboxRelay } from "../ingest/OutboxRelay.ts"
import { GroupCommit } from "../mailbox/GroupCommit.ts"
import { Mailboxes } from "../mailbox/Mailboxes.ts"
import { MailboxSettings } from "../mailbox/MailboxSettings.ts"
import * as PartitionHost from "../mailbox/PartitionHost.ts"
import { ResidentMailboxes } from "../mailbox/ResidentMailboxes.ts"
import { StateLoader } from "../mailbox/StateLoader.ts"
import { OrderTracking } from "../orders/OrderTracking.ts"
import { Locations } from "../topics/Locations.ts"
import { PresenceNews } from "../topics/PresenceNews.ts"
import { TopicAccess } from "../topics/TopicAccess.ts"
import { TopicChannels } from "../topics/TopicChannels.ts"
import { TopicChecks } from "../topics/TopicChecks.ts"
import { Topics } from "../topics/Topics.ts"
import { Watching } from "../topics/Watching.ts"
import * as Retention from "../retention/Retention.ts"
import * as Bulk from "./Bulk.ts"
import * as Batches from "./Batches.ts"
import { TenantAdmin } from "../tenants/TenantAdmin.ts"
import { UserServiceAccounts } from "../users/UserServiceAccounts.ts"
import * as Cluster from "./Cluster.ts"
import * as Deliveries from "./Deliveries.ts"
import * as Http from "./Http.ts"
import * as Identity from "./Identity.ts"
import * as Providers from "./Providers.ts"
import * as Secrets from "./Secrets.ts"
import * as RedisLayer from "./RedisLayer.ts"
import { isJoined, ServerConfig } from "./ServerConfig.ts"

const layerSettings = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    Layer.merge(
      MailboxSettings.layer({
        idleAfter: config.mailboxIdle,
        awake: Math.ceil(config.mailboxesAwake / partitionCount),
        commitConcurrency: Option.isSome(config.databaseUrl) ? 4 : 1
      }),
      GatewaySettings.layer({
        allowedOrigins: config.allowedOrigins,
        messages: config.socketMessages,
        bytes: config.socketBytes,
        connects: config.socketConnects,
        connectsOfUser: config.socketConnectsUser,
        // Alone there is no other node to come to, and nothing to spread.
        drainOver: isJoined(config) ? Duration.times(config.drainTimeout, 0.5) : Duration.zero
      })
    )
  )
)

const layerHost = PartitionHost.layer.pipe(
  Layer.provide([GroupCommit.layer, StateLoader.layer]),
  Layer.provideMerge(Deliveries.layerMeans),
  Layer.provideMerge(Mailboxes.layer)
)

/** All mailboxes, on this node. */
const layerAlone = layerHost.pipe(
  Layer.provide(Cluster.layerSingle),
  Layer.provide(Sessions.layerOutletLocal),
  Layer.merge([MemoryPresence.layer(), MemoryTopicSnapshots.layer])
)

/** Without Redis a node cannot keep its partitions. */
const layerRedisCheck = Readiness.layerCheck(
  "Redis does not answer",
  Effect.map(RedisClient, ({ ping }) => ping)
)

/** The mailboxes of this node's partitions, the way to the others, and the frames between nodes. */
const layerAmongOthers = (self: string) =>
  Layer.merge(layerHost, Links.layer(self)).pipe(
    Layer.provide(Cluster.layerMany),
    Layer.provide(RemoteOutlet.layer),
    Layer.provide(Outboxes.layer),
    Layer.provide(RedisRunnerStorage.layer.pipe(Layer.provide(Cluster.layerConfig))),
    Layer.merge([RedisPresence.layer(), RedisTopicSnapshots.layer, layerRedisCheck]),
    Layer.provide(RedisLayer.layer)
  )

/** Mailboxes, wherever they are. Needs the stores. */
const layerMailboxes = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    isJoined(config)
      ? layerAmongOthers(PartitionHost.nodeName({ host: config.nodeHost, port: config.nodePort }))
      : layerAlone
  )
).pipe(Layer.provideMerge(ResidentMailboxes.layer), Layer.provideMerge(Sessions.Sessions.layer))

/** Audiences for what is not kept. Needs the sockets' server, the stores and the way between nodes. */
const layerTopics = Watching.layer.pipe(
  Layer.provideMerge(PresenceNews.layer),
  Layer.provideMerge(Locations.layer),
  Layer.provideMerge(OrderTracking.layer),
  Layer.provideMerge(Layer.mergeAll(Topics.layer, TopicChannels.layer, TopicChecks.layer, TopicAccess.layer))
)

const layerRetention = Layer.unwrap(
  Effect.map(ServerConfig, ({ retentionEvery }) => Retention.layer({ every: retentionEvery }))
)

/** What callers can ask for, over any transport. */
const layerServices = Layer.mergeAll(
  Inbox.layer,
  Sender.layer,
  Audiences.layer.pipe(Layer.provideMerge(Notifications.layer), Layer.provide(Wording.layer)),
  Endpoints.layer,
  Friendships.layer,
  TenantAdmin.layer,
  UserServiceAccounts.layer,
  Lookups.layer,
  layerRetention,
  Batches.layer,
  Bulk.layer,
  Deliveries.layerWork
).pipe(
  Layer.provideMerge(EventIngest.layerConsumers),
  Layer.provideMerge(EventIngest.layer),
  Layer.provideMerge(OutboxRelay.layer)
)

const layerDocumentation = Layer.unwrap(
  Effect.map(ServerConfig, ({ oidcIssuers: [issuer] }) => Documentation.layer({ issuer }))
).pipe(Layer.provide(NodeHttpClient.layerUndici))

const layerMetrics = MetricsHandlers.layer.pipe(
  Layer.provide(
    Layer.unwrap(
      Effect.map(ServerConfig, ({ metricsToken }) =>
        MetricsHandlers.MetricsAccess.layer(Option.getOrUndefined(metricsToken))
      )
    )
  )
)

const layerApi = Layer.mergeAll(HttpApiBuilder.layer(BeckonApi), layerDocumentation, Pages.layer, Http.layerEdge).pipe(
  Layer.provide([
    MeHandlers.layer,
    UserHandlers.layer,
    SenderHandlers.layer,
    NotificationHandlers.layer,
    DeliveryHandlers.layer,
    DeadLetterHandlers.layer,
    RoutingHandlers.layer,
    TemplateHandlers.layer,
    WebhookHandlers.layer,
    ApiKeyHandlers.layer,
    RevocationHandlers.layer,
    ProviderHandlers.layer.pipe(Layer.provide(Providers.layerAccounts)),
    PushTopicHandlers.layer,
    BatchHandlers.layer,
    BulkHandlers.layer,
    AdminHandlers.layer,
    layerMetrics,
    PersonalDataHandlers.layer,
    PresenceHandlers.layer,
    TenantHandlers.layer,
    AuditHandlers.layer,
    LookupHandlers.layer,
    CallbackHandlers.layer,
    FriendshipHandlers.layer,
    SystemHandlers.layer
  ]),
  Layer.provide(Secrets.layerCallbacks),
  Layer.provide([AuthorizationLive.layer, HttpApiMiddleware.layerProblemDetails({ includeDetails: true })])
)

/** Requests get what the sockets' leaving left of the drain time, but for a quarter: that is for what is closed last. */
const layerUws = Layer.unwrap(
  Effect.map(ServerConfig, (config) => {
    const { drainTimeout, host, port } = config
    const upload = { maxBodyBytes: config.bulkMaxBytes, bodyTimeout: config.bulkTimeout }
    const shutdownGrace = Duration.times(drainTimeout, isJoined(config) ? 0.25 : 0.75)
    return UwsServer.layer({ host, port, shutdownGrace, uploads: new Map([[uploadPath, upload]]) })
  })
)

const layerDevTokens = Layer.unwrap(
  Effect.map(ServerConfig, ({ databaseUrl }) => SystemHandlers.DevTokens.layer(Option.isNone(databaseUrl)))
)

/** Last of all, so that nobody comes before there is somebody to answer. */
const layerListen = Layer.effectDiscard(Effect.flatMap(UwsServer, ({ listen }) => listen))

/** HTTP, WebSocket and pages on one port. Needs the configuration and the stores. */
export const layer = layerListen.pipe(
  Layer.provideMerge(
    Layer.mergeAll(
      HttpRouter.serve(layerApi, { disableLogger: true, disableListenLog: true, routerConfig }),
      InboxCalls.layer
    )
  ),
  Layer.provideMerge(UwsHttpServer.layer({ listen: false })),
  Layer.provideMerge(Gateway.layer),
  Layer.provide(PresenceKeeper.layer),
  Layer.provideMerge(layerServices),
  Layer.provideMerge(layerTopics),
  Layer.provideMerge(layerMailboxes),
  Layer.provide(Readiness.layer),
  Layer.provideMerge(layerUws),
  Layer.provideMerge(Identity.layer),
  Layer.provideMerge(Secrets.layerIssuer),
  Layer.provideMerge(Http.layerGuard),
  Layer.provideMerge(Http.layerBuckets),
  Layer.provideMerge(Layer.merge(Audit.layer, Deliveries.layerTenants)),
  Layer.provide(layerDevTokens),
  Layer.provide(layerSettings)
)
