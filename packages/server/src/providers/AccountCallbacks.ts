/**
 * What the provider of a tenant's own account tells: checked with that account's secret, and good for its deliveries only.
 */
import { Effect, Option, Redacted } from "effect"
import type { ProviderEvent } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { providerIdOf } from "@beckon/domain/ProviderAccount"
import type { ProviderKind } from "@beckon/domain/ProviderAccount"
import type { CallbackRefused, CallbackRequest } from "@beckon/infra/callbacks/Callback"
import * as SendGridCallback from "@beckon/infra/callbacks/SendGridCallback"
import * as TwilioCallback from "@beckon/infra/callbacks/TwilioCallback"
import * as WhatsAppCallback from "@beckon/infra/callbacks/WhatsAppCallback"
import * as AccountProviders from "./AccountProviders.ts"
import { TenantProviders } from "./TenantProviders.ts"
import type { OpenedAccount } from "./TenantProviders.ts"

type Check = (request: CallbackRequest) => Effect.Effect<ReadonlyArray<ProviderEvent>, CallbackRefused>

interface Checks {
  readonly events: Check
  readonly challenge: ((url: string) => Effect.Effect<string, CallbackRefused>) | undefined
}

export interface AccountCallback extends Pick<Checks, "challenge"> {
  readonly events: (
    request: CallbackRequest
  ) => Effect.Effect<ReadonlyArray<ProviderEvent>, CallbackRefused | StoreUnavailable>
}

const whatsAppOf = (appSecret: string | undefined, verifyToken: string | undefined): Checks | undefined =>
  appSecret === undefined || verifyToken === undefined
    ? undefined
    : WhatsAppCallback.make({ appSecret: Redacted.make(appSecret), verifyToken: Redacted.make(verifyToken) })

const checkOf = Effect.fnUntraced(
  function* (one: OpenedAccount) {
    const { account, credentials } = one
    if (!Redacted.isRedacted(credentials)) return undefined
    switch (account.kind) {
      case "sendgrid": {
        const { settings } = yield* AccountProviders.partsOf("sendgrid", account, credentials)
        if (settings.webhook_public_key === undefined) return undefined
        const { events } = yield* SendGridCallback.make({ publicKey: settings.webhook_public_key })
        return { events, challenge: undefined }
      }
      case "twilio": {
        const { credentials: opened } = yield* AccountProviders.partsOf("twilio", account, credentials)
        return {
          events: TwilioCallback.make({ authToken: Redacted.make(opened.auth_token) }).events,
          challenge: undefined
        }
      }
      case "whatsapp": {
        const { credentials: opened } = yield* AccountProviders.partsOf("whatsapp", account, credentials)
        return whatsAppOf(opened.app_secret, opened.verify_token)
      }
      case "fcm":
      case "webpush":
      case "smtp":
      case "log":
        return undefined
    }
  },
  // An account that cannot be used has no callback; its deliveries say why.
  (check): Effect.Effect<Checks | undefined> => Effect.orElseSucceed(check, () => undefined)
)

/** The callback of an account; nothing where it has none, or its secret is not set. */
export const find = Effect.fnUntraced(function* (
  tenantId: TenantId,
  id: string,
  kind: ProviderKind
): Effect.fn.Return<AccountCallback | undefined, StoreUnavailable, DeliveryStore | TenantProviders> {
  const providers = yield* TenantProviders
  const found = yield* providers.account(tenantId, id)
  if (Option.isNone(found) || found.value.account.kind !== kind) return undefined
  const check = yield* checkOf(found.value)
  if (check === undefined) return undefined
  const store = yield* DeliveryStore
  const provider = providerIdOf({ id, kind })

  /** The account's secret is the tenant's: it must not speak of deliveries of others. */
  const bound = Effect.fnUntraced(function* ({ deliveryId, ...event }: ProviderEvent) {
    const own: ProviderEvent = { ...event, provider }
    if (deliveryId === undefined) return own
    const delivery = Option.getOrUndefined(yield* store.get(tenantId, deliveryId))
    const isOwn = delivery !== undefined && (delivery.provider === null || delivery.provider === provider)
    return isOwn ? { ...own, deliveryId } : own
  })

  return {
    challenge: check.challenge,
    events: (request) =>
      Effect.flatMap(check.events(request), (events) => Effect.forEach(events, bound, { concurrency: 8 }))
  }
})
