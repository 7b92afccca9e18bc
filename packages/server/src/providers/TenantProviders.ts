/**
 * Through whom the deliveries of a tenant go: its own accounts, or those of the deployment.
 *
 * **Details**
 *
 * A channel on which a tenant has an account, even one that is switched off, is the tenant's own business; any other is served by
 * the accounts of the deployment, where they are shared. Webhooks are always the deployment's.
 *
 * What is known of a tenant is kept for a minute and forgotten by all nodes on a change (`FreshCache`). An account's connections
 * are opened when it is used first, are those of one version of the account, and end when nothing has gone through them for a
 * while. There are at most `capacity` of them; what finds no place waits.
 */
import { Context, Effect, Layer, Option, RcMap } from "effect"
import type { Redacted, Scope } from "effect"
import { HttpClient } from "effect/http"
import { deliveryChannels } from "@beckon/domain/Delivery"
import type { DeliveryChannel } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { ChannelProvider } from "@beckon/domain/ports/ChannelProvider"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import type { OwnChannels } from "@beckon/domain/ports/DeliveryStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { CredentialsNotOpened, ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import type { TopicBus } from "@beckon/domain/ports/TopicBus"
import { channelOf } from "@beckon/domain/ProviderAccount"
import type { ProviderAccount } from "@beckon/domain/ProviderAccount"
import * as FreshCache from "../caches/FreshCache.ts"
import * as AccountProviders from "./AccountProviders.ts"
import type { AccountProvider, Outside } from "./AccountProviders.ts"

const keptFor = "1 minute"
/** Tenants that are known at a time. */
const tenants = 10_000
/** Accounts with open connections, on one node. */
const capacity = 2_000
const openFor = "2 minutes"

/** An account and what opens it, or why nothing does. */
export interface OpenedAccount {
  readonly account: ProviderAccount
  readonly credentials: Redacted.Redacted | CredentialsNotOpened
}

/** The channels that a tenant reaches by its own accounts, and by those that it shares where it has none. */
export const reachOf = (
  own: OwnChannels | undefined,
  shared: ReadonlySet<DeliveryChannel>
): ReadonlySet<DeliveryChannel> =>
  own === undefined ? shared : new Set(deliveryChannels.filter((channel) => own.get(channel) ?? shared.has(channel)))

const isNotOpened = (credentials: OpenedAccount["credentials"]): credentials is CredentialsNotOpened =>
  credentials instanceof CredentialsNotOpened

export class TenantProviders extends Context.Service<
  TenantProviders,
  {
    /** In the order in which they are tried; good until the scope closes. */
    readonly of: <Channel extends DeliveryChannel>(
      tenantId: TenantId,
      channel: Channel
    ) => Effect.Effect<ReadonlyArray<ChannelProvider<Channel>>, StoreUnavailable, Scope.Scope>
    /** The channels of the deployment's accounts that the tenant may use. */
    readonly shared: (tenantId: TenantId) => ReadonlySet<DeliveryChannel>
    /** On which channels something can be sent. */
    readonly channels: (tenantId: TenantId) => Effect.Effect<ReadonlySet<DeliveryChannel>, StoreUnavailable>
    /** One account of the tenant, whether it is switched on or not. */
    readonly account: (tenantId: TenantId, id: string) => Effect.Effect<Option.Option<OpenedAccount>, StoreUnavailable>
    /** To be called after a change was saved. */
    readonly changed: (tenantId: TenantId) => Effect.Effect<void>
  }
>()("@beckon/server/providers/TenantProviders") {
  /** `isShared`: whether a tenant without accounts of its own may use the deployment's. */
  static readonly layer = (
    outside: Outside,
    isShared: (tenantId: TenantId) => boolean
  ): Layer.Layer<TenantProviders, never, ChannelProviders | HttpClient.HttpClient | ProviderAccountStore | TopicBus> =>
    Layer.effect(TenantProviders, make(outside, isShared))

  /** The deployment's accounts for everybody. */
  static readonly layerShared: Layer.Layer<TenantProviders, never, ChannelProviders> = Layer.effect(
    TenantProviders,
    Effect.map(ChannelProviders, (shared) => {
      const channels = new Set(deliveryChannels.filter((channel) => shared[channel].length > 0))
      return {
        of: (_tenantId, channel) => Effect.succeed(shared[channel]),
        shared: () => channels,
        channels: () => Effect.succeed(channels),
        account: () => Effect.succeedNone,
        changed: () => Effect.void
      }
    })
  )
}

const make = Effect.fnUntraced(function* (outside: Outside, isShared: (tenantId: TenantId) => boolean) {
  const store = yield* ProviderAccountStore
  const shared = yield* ChannelProviders
  const client = yield* HttpClient.HttpClient

  const opened = (account: ProviderAccount): Effect.Effect<OpenedAccount | undefined, StoreUnavailable> =>
    store.credentials(account.tenantId, account.id).pipe(
      Effect.map((found) => (Option.isNone(found) ? undefined : { account, credentials: found.value })),
      Effect.catchTag("CredentialsNotOpened", (error) => Effect.succeed({ account, credentials: error }))
    )

  const cache = yield* FreshCache.make({
    topic: "provider_accounts",
    lookup: (tenantId: TenantId) =>
      asSystem(
        Effect.gen(function* () {
          const accounts = yield* store.list(tenantId)
          const found = yield* Effect.forEach(accounts, opened)
          return found.filter((one) => one !== undefined)
        })
      ),
    keptFor,
    capacity: tenants,
    // Anybody may name a tenant in the path of a callback. Most real ones have no account either.
    isAbsent: (accounts) => accounts.length === 0,
    absentCapacity: tenants
  })

  const build = ({ account, credentials }: OpenedAccount): Effect.Effect<AccountProvider, never, Scope.Scope> => {
    const refuse = (code: string, reason: string) =>
      Effect.as(
        Effect.annotateLogs(Effect.logError(`ALARM: an account with a sender cannot be used: ${reason}`), {
          tenant: account.tenantId,
          account: account.id
        }),
        AccountProviders.broken(account, "credentials", code, reason)
      )
    return isNotOpened(credentials)
      ? refuse("key_missing", credentials.message)
      : AccountProviders.make(account, credentials, outside).pipe(
          Effect.provideService(HttpClient.HttpClient, client),
          Effect.catchTag("AccountUnusable", ({ reason }) => refuse("account_unusable", reason))
        )
  }

  /** What is to be built under a key, from when it is asked for until it is. */
  const asked = new Map<string, OpenedAccount>()
  const built = yield* RcMap.make({
    lookup: (key: string) =>
      Effect.suspend(() => {
        const one = asked.get(key)
        asked.delete(key)
        return one === undefined ? Effect.die(new Error("An account was asked for without being named")) : build(one)
      }),
    idleTimeToLive: openFor,
    capacity
  })

  const providerOf = Effect.fnUntraced(function* (one: OpenedAccount) {
    const { account } = one
    const key = `${account.tenantId}\u0000${account.id}\u0000${account.version}`
    if (!(yield* RcMap.has(built, key))) asked.set(key, one)
    return yield* RcMap.get(built, key).pipe(
      Effect.catchTag("ExceededCapacityError", () => {
        asked.delete(key)
        const detail = `more than ${capacity} accounts are in use on this node`
        return Effect.succeed(AccountProviders.broken(account, "throttled", "too_many_accounts", detail))
      })
    )
  })

  const ownOn = (all: ReadonlyArray<OpenedAccount>, channel: DeliveryChannel) =>
    all.filter(({ account }) => channelOf(account.kind) === channel)

  const fallback = <Channel extends DeliveryChannel>(
    tenantId: TenantId,
    channel: Channel
  ): ReadonlyArray<ChannelProvider<Channel>> => (channel === "webhook" || isShared(tenantId) ? shared[channel] : [])

  const everywhere = new Set(deliveryChannels.filter((channel) => shared[channel].length > 0))
  const nowhere = new Set(deliveryChannels.filter((channel) => channel === "webhook" && everywhere.has(channel)))
  const sharedChannels = (tenantId: TenantId) => (isShared(tenantId) ? everywhere : nowhere)

  return TenantProviders.of({
    of: Effect.fnUntraced(function* <Channel extends DeliveryChannel>(tenantId: TenantId, channel: Channel) {
      if (channel === "webhook") return fallback(tenantId, channel)
      const own = ownOn(yield* cache.get(tenantId, ""), channel)
      if (own.length === 0) return fallback(tenantId, channel)
      const enabled = own.filter(({ account }) => account.enabled)
      const providers: unknown = yield* Effect.forEach(enabled, providerOf)
      // `ownOn` has chosen those of this channel, which their type does not say.
      return providers as ReadonlyArray<ChannelProvider<Channel>>
    }),

    shared: sharedChannels,

    channels: (tenantId) =>
      Effect.map(cache.get(tenantId, ""), (all) => {
        const own = new Map(
          Map.groupBy(all, ({ account }) => channelOf(account.kind))
            .entries()
            .map(([channel, list]) => [channel, list.some(({ account }) => account.enabled)])
        )
        return reachOf(own, sharedChannels(tenantId))
      }),

    account: (tenantId, id) =>
      Effect.map(cache.get(tenantId, ""), (all) =>
        Option.fromUndefinedOr(all.find(({ account }) => account.id === id))
      ),

    changed: (tenantId) => cache.changed(tenantId, "")
  })
})
