/**
 * The configuration of the server, read once from the environment. `Settings.ts` is the table of all settings.
 *
 * **Details**
 *
 * A setting that is absent has its default; one that does not fit stops the start with a message that names it.
 */
import { Config, Context, Effect, Layer, Option, Schema } from "effect"
import { settings } from "./Settings.ts"

const config = Config.all({
  host: settings.host.read,
  nodeListenHost: settings.nodeListenHost.read,
  allowedOrigins: settings.allowedOrigins.read,
  port: settings.port.read,
  dataDir: settings.dataDir.read,
  databaseUrl: settings.databaseUrl.read,
  databasePoolSize: settings.databasePoolSize.read,
  databasePoolMax: settings.databasePoolMax.read,
  databaseAcquireTimeout: settings.databaseAcquireTimeout.read,
  databaseRecycleAfter: settings.databaseRecycleAfter.read,
  databasePrePing: settings.databasePrePing.read,
  flushCommits: settings.flushCommits.read,
  redisUrl: settings.redisUrl.read,
  redisSentinels: settings.redisSentinels.read,
  redisSentinelName: settings.redisSentinelName.read,
  redisClusterNodes: settings.redisClusterNodes.read,
  redisUsername: settings.redisUsername.read,
  redisPassword: settings.redisPassword.read,
  redisTls: settings.redisTls.read,
  prefix: settings.prefix.read,
  kafkaBrokers: settings.kafkaBrokers.read,
  kafkaTls: settings.kafkaTls.read,
  kafkaSaslMechanism: settings.kafkaSaslMechanism.read,
  kafkaUsername: settings.kafkaUsername.read,
  kafkaPassword: settings.kafkaPassword.read,
  kafkaTopicPrefix: settings.kafkaTopicPrefix.read,
  nodeHost: settings.nodeHost.read,
  nodePort: settings.nodePort.read,
  lease: settings.lease.read,
  jwtSecret: settings.jwtSecret.read,
  deviceTokenSecret: settings.deviceTokenSecret.read,
  mailboxIdle: settings.mailboxIdle.read,
  mailboxesAwake: settings.mailboxesAwake.read,
  drainTimeout: settings.drainTimeout.read,
  retentionEvery: settings.retentionEvery.read,
  metricsToken: settings.metricsToken.read,
  logLevel: settings.logLevel.read,
  ownTokens: settings.ownTokens.read,
  tokenMaxAge: settings.tokenMaxAge.read,
  oidcIssuers: settings.oidcIssuers.read,
  oidcAudiences: settings.oidcAudiences.read,
  oidcClockSkew: settings.oidcClockSkew.read,
  oidcTenantClaim: settings.oidcTenantClaim.read,
  oidcTenants: settings.oidcTenants.read,
  oidcTenant: settings.oidcTenant.read,
  oidcRolesClaims: settings.oidcRolesClaims.read,
  oidcRoleMap: settings.oidcRoleMap.read,
  trustedProxies: settings.trustedProxies.read,
  tenantLimit: settings.tenantLimit.read,
  keyLimit: settings.keyLimit.read,
  userLimit: settings.userLimit.read,
  failureLimit: settings.failureLimit.read,
  socketConnects: settings.socketConnects.read,
  socketConnectsUser: settings.socketConnectsUser.read,
  socketMessages: settings.socketMessages.read,
  socketBytes: settings.socketBytes.read,
  answersKeptFor: settings.answersKeptFor.read,
  bulkMaxBytes: settings.bulkMaxBytes.read,
  bulkTimeout: settings.bulkTimeout.read,
  bulkLease: settings.bulkLease.read,
  keys: settings.keys.read,
  sharedProviders: settings.sharedProviders.read,
  publicUrl: settings.publicUrl.read,
  ackTimeout: settings.ackTimeout.read,
  deliveryLease: settings.deliveryLease.read,
  deliveryTries: settings.deliveryTries.read,
  deliveryRetryBase: settings.deliveryRetryBase.read,
  breakerOpen: settings.breakerOpen.read,
  providerRates: settings.providerRates.read,
  deliveryEvents: settings.deliveryEvents.read,
  fcmServiceAccount: settings.fcmServiceAccount.read,
  vapidPublicKey: settings.vapidPublicKey.read,
  vapidPrivateKey: settings.vapidPrivateKey.read,
  vapidSubject: settings.vapidSubject.read,
  mailFrom: settings.mailFrom.read,
  sendgridApiKey: settings.sendgridApiKey.read,
  sendgridUrl: settings.sendgridUrl.read,
  sendgridPublicKey: settings.sendgridPublicKey.read,
  smtpUrl: settings.smtpUrl.read,
  smtpStartTls: settings.smtpStartTls.read,
  dkimDomain: settings.dkimDomain.read,
  dkimSelector: settings.dkimSelector.read,
  dkimPrivateKey: settings.dkimPrivateKey.read,
  twilioAccountSid: settings.twilioAccountSid.read,
  twilioAuthToken: settings.twilioAuthToken.read,
  twilioFrom: settings.twilioFrom.read,
  twilioUrl: settings.twilioUrl.read,
  whatsappToken: settings.whatsappToken.read,
  whatsappPhoneNumberId: settings.whatsappPhoneNumberId.read,
  whatsappAppSecret: settings.whatsappAppSecret.read,
  whatsappVerifyToken: settings.whatsappVerifyToken.read,
  whatsappUrl: settings.whatsappUrl.read,
  batchConcurrency: settings.batchConcurrency.read,
  batchLease: settings.batchLease.read,
  webhookNetworks: settings.webhookNetworks.read
})

type Read = typeof config extends Config.Config<infer A> ? A : never

/** What `Settings.ts` says, with the defaults that depend on other settings filled in. */
export interface ServerConfigShape extends Omit<Read, "host" | "nodeListenHost" | "allowedOrigins"> {
  readonly host: string
  readonly nodeListenHost: string
  readonly allowedOrigins: ReadonlyArray<string> | undefined
}

/** Settings that do not go together. */
export class SettingsConflict extends Schema.TaggedError<SettingsConflict>()("SettingsConflict", {
  detail: Schema.String
}) {
  override get message() {
    return `The settings do not go together: ${this.detail}`
  }
}

type Unchecked = Omit<Read, "host" | "nodeListenHost" | "allowedOrigins">

/** Whether this node is one of several. */
export const isJoined = (config: Pick<Unchecked, "redisUrl" | "redisSentinels" | "redisClusterNodes">): boolean =>
  Option.isSome(config.redisUrl) || Option.isSome(config.redisSentinels) || Option.isSome(config.redisClusterNodes)

/** Half of an account with a sender would only be noticed when something is to be sent. */
const incompleteAccount = (config: Unchecked): string | undefined => {
  const has = Option.isSome<unknown>
  const needs = (name: string, option: Option.Option<unknown>, other: string, others: Option.Option<unknown>) =>
    has(option) && !has(others) ? `${name} needs ${other}` : undefined
  return (
    needs("VAPID_PUBLIC_KEY", config.vapidPublicKey, "VAPID_PRIVATE_KEY", config.vapidPrivateKey) ??
    needs("VAPID_PRIVATE_KEY", config.vapidPrivateKey, "VAPID_SUBJECT", config.vapidSubject) ??
    needs("VAPID_SUBJECT", config.vapidSubject, "VAPID_PUBLIC_KEY", config.vapidPublicKey) ??
    needs("SENDGRID_API_KEY", config.sendgridApiKey, "MAIL_FROM", config.mailFrom) ??
    needs("SMTP_URL", config.smtpUrl, "MAIL_FROM", config.mailFrom) ??
    needs("DKIM_DOMAIN", config.dkimDomain, "DKIM_SELECTOR", config.dkimSelector) ??
    needs("DKIM_DOMAIN", config.dkimDomain, "DKIM_PRIVATE_KEY", config.dkimPrivateKey) ??
    needs("DKIM_SELECTOR", config.dkimSelector, "DKIM_DOMAIN", config.dkimDomain) ??
    needs("DKIM_PRIVATE_KEY", config.dkimPrivateKey, "DKIM_DOMAIN", config.dkimDomain) ??
    needs("TWILIO_ACCOUNT_SID", config.twilioAccountSid, "TWILIO_AUTH_TOKEN", config.twilioAuthToken) ??
    needs("TWILIO_ACCOUNT_SID", config.twilioAccountSid, "TWILIO_FROM", config.twilioFrom) ??
    needs("WHATSAPP_TOKEN", config.whatsappToken, "WHATSAPP_PHONE_NUMBER_ID", config.whatsappPhoneNumberId) ??
    needs("WHATSAPP_APP_SECRET", config.whatsappAppSecret, "WHATSAPP_VERIFY_TOKEN", config.whatsappVerifyToken)
  )
}

/** Several nodes share a database and secrets; with one of them missing each node would have its own. */
const conflictOf = (config: Unchecked): string | undefined => {
  const ways = [
    Option.isSome(config.redisUrl),
    Option.isSome(config.redisSentinels),
    Option.isSome(config.redisClusterNodes)
  ]
  if (ways.filter(Boolean).length > 1) return "REDIS_URL, REDIS_SENTINELS and REDIS_CLUSTER_NODES exclude one another"
  if (Option.isSome(config.redisSentinels) && Option.isNone(config.redisSentinelName)) {
    return "REDIS_SENTINELS needs REDIS_SENTINEL_NAME"
  }
  const hasAccount = Option.isSome(config.kafkaUsername) && Option.isSome(config.kafkaPassword)
  if (Option.isSome(config.kafkaSaslMechanism) && !hasAccount) {
    return "KAFKA_SASL_MECHANISM needs KAFKA_USERNAME and KAFKA_PASSWORD"
  }
  if (config.oidcIssuers.length > 0 && config.oidcAudiences.length === 0) return "OIDC_ISSUER needs OIDC_AUDIENCE"
  const stray = Object.keys(config.oidcTenants).find((issuer) => !config.oidcIssuers.includes(issuer))
  if (stray !== undefined) return `OIDC_TENANTS names ${stray}, which OIDC_ISSUER does not`
  // What one of several issuers says about the others' tenants must be somebody's decision.
  const unbound = config.oidcIssuers.find((issuer) => !Object.hasOwn(config.oidcTenants, issuer))
  if (unbound !== undefined && config.oidcIssuers.length > 1) {
    return `with several issuers, OIDC_TENANTS must name the tenants of each, or "*"; it does not name ${unbound}`
  }
  if (!config.ownTokens && config.oidcIssuers.length === 0) return "BECKON_OWN_TOKENS=false needs OIDC_ISSUER"
  const incomplete = incompleteAccount(config)
  if (incomplete !== undefined || !isJoined(config)) return incomplete
  if (Option.isNone(config.databaseUrl)) {
    return "Redis joins several nodes, which need DATABASE_URL: an embedded database has one"
  }
  if (Option.isNone(config.jwtSecret)) return "Redis joins several nodes, which need the same BECKON_JWT_SECRET"
  return Option.isNone(config.deviceTokenSecret) && Option.isNone(config.keys)
    ? "Redis joins several nodes, which need the same BECKON_KEYS or BECKON_DEVICE_TOKEN_SECRET"
    : undefined
}

export class ServerConfig extends Context.Service<ServerConfig, ServerConfigShape>()(
  "@beckon/server/layers/ServerConfig"
) {
  static readonly layer = Layer.effect(
    ServerConfig,
    Effect.gen(function* () {
      const { allowedOrigins, host, nodeListenHost, ...rest } = yield* config
      const detail = conflictOf(rest)
      if (detail !== undefined) return yield* new SettingsConflict({ detail })
      return {
        ...rest,
        host: Option.getOrElse(host, () => (Option.isSome(rest.databaseUrl) ? "0.0.0.0" : "127.0.0.1")),
        nodeListenHost: Option.getOrElse(nodeListenHost, () => rest.nodeHost),
        allowedOrigins: Option.getOrUndefined(
          Option.map(allowedOrigins, (origins) => origins.split(",").map((origin) => origin.trim()))
        )
      }
    })
  )
}
