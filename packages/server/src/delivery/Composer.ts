/**
 * Makes of claimed deliveries what providers take: to whom, in which words; or says why there is nothing to send.
 */
import { Cause, Context, DateTime, Duration, Effect, Layer, Option, Redacted, Result } from "effect"
import type { Condition, DeliveryChannel } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import type { Messages } from "@beckon/domain/ports/ChannelProvider"
import type { Claimed } from "@beckon/domain/ports/DeliveryStore"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import type { KnownDevice } from "@beckon/domain/ports/DeviceStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { User } from "@beckon/domain/ports/UserDirectory"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { TokenNotOpened } from "@beckon/infra/security/KeyRing"
import { Recipients } from "../users/Recipients.ts"
import * as MessageParts from "./MessageParts.ts"
import { Receipts } from "./Receipts.ts"
import { Words } from "./Words.ts"

/** A message, and the device that it goes to where there are several. */
export interface Part<Channel extends DeliveryChannel = DeliveryChannel> {
  readonly message: Messages[Channel]
  readonly device?: KnownDevice
}

export type Composed =
  | { readonly _tag: "Parts"; readonly parts: ReadonlyArray<Part> }
  /** Not wanted any more. */
  | { readonly _tag: "Skip"; readonly reason: string }
  /** It can never be sent. */
  | { readonly _tag: "Dead"; readonly reason: string; readonly detail: string }
  /** Nobody can say now how its user is reached, or a key is missing; no try, and no failure. */
  | { readonly _tag: "Wait"; readonly reason: string; readonly retryAfter: Duration.Duration }
  /** Its user has no address on this channel. */
  | { readonly _tag: "Unreachable"; readonly reason: string }
  /** Something of ours is out of order; another try may do better. */
  | { readonly _tag: "Unfit"; readonly reason: string }

/** Whether the condition of a delivery still holds, and if not why. */
export const obstacle = (
  condition: Condition,
  { acknowledged, seen }: Pick<Claimed, "acknowledged" | "seen">
): string | undefined => {
  if (condition === "always") return undefined
  if (seen) return "seen"
  return condition === "unacknowledged" && acknowledged ? "acknowledged" : undefined
}

const skip = (reason: string): Composed => ({ _tag: "Skip", reason })
const unfit: Composed = { _tag: "Unfit", reason: "not_composed" }
const unreachable = (reason: string): Composed => ({ _tag: "Unreachable", reason })
const wait = (retryAfter: Duration.Duration): Composed => ({ _tag: "Wait", reason: "recipients_away", retryAfter })
const parts = (...all: ReadonlyArray<Part>): Composed => ({ _tag: "Parts", parts: all })

interface Contacts {
  readonly user: (claimed: Claimed) => User | undefined
  /** For how long to wait, when the user cannot be asked for now. */
  readonly away: (claimed: Claimed) => Duration.Duration | undefined
  readonly devices: (claimed: Claimed) => ReadonlyArray<KnownDevice>
  /** The key without which some of his devices cannot be reached now. */
  readonly missingKey: (claimed: Claimed) => string | undefined
}

/** How long deliveries rest whose secrets are kept under a key that is not there. */
const restWithoutKey = Duration.minutes(1)

/** What opens again when the key is put back loses no tries meanwhile. */
const withoutKey = (keyId: string): Effect.Effect<Composed> =>
  Effect.as(
    Effect.logError(`ALARM: no secret has the key id ${keyId}; what it opens waits until BECKON_KEYS has it again`),
    { _tag: "Wait" as const, reason: "key_missing", retryAfter: restWithoutKey }
  )

const missingKeyOf = ({ cause }: StoreUnavailable): string | undefined =>
  cause instanceof TokenNotOpened && cause.isKeyMissing ? cause.keyId : undefined

const patienceForPushes = Duration.seconds(2)

const keyOf = ({ delivery }: Claimed) =>
  delivery.userId === null ? undefined : { tenantId: delivery.tenantId, userId: delivery.userId }

export class Composer extends Context.Service<
  Composer,
  {
    /**
     * The claims in groups that are to be composed apart, so that a tenant whose own service says how users are reached, and
     * takes its time, keeps nobody else waiting.
     */
    readonly apart: (claims: ReadonlyArray<Claimed>) => Effect.Effect<ReadonlyArray<ReadonlyArray<Claimed>>>
    /** Answers in the order of the claims; the store is asked once for all of them. */
    readonly compose: (claims: ReadonlyArray<Claimed>) => Effect.Effect<ReadonlyArray<Composed>, StoreUnavailable>
  }
>()("@beckon/server/delivery/Composer") {
  static readonly layer = Layer.effect(
    Composer,
    Effect.gen(function* () {
      const recipients = yield* Recipients
      const devices = yield* DeviceStore
      const endpoints = yield* WebhookEndpointStore
      const words = yield* Words
      const receipts = yield* Receipts

      const contactsOf = Effect.fnUntraced(function* (claims: ReadonlyArray<Claimed>) {
        // A push needs no address, and goes in the tenant's language when nobody says the user's in time.
        const patience = claims.some(({ delivery }) => delivery.channel !== "push") ? undefined : patienceForPushes
        const users = new Map<string, User>()
        const away = new Map<string, Duration.Duration>()
        const byTenant = new Map<TenantId, Set<User["userId"]>>()
        for (const { delivery } of claims) {
          if (delivery.userId === null || delivery.channel === "webhook") continue
          const ids = byTenant.get(delivery.tenantId) ?? new Set()
          byTenant.set(delivery.tenantId, ids.add(delivery.userId))
        }
        for (const [tenantId, ids] of byTenant) {
          const resolved = yield* recipients.resolve(tenantId, [...ids], patience)
          for (const [userId, user] of resolved.users) users.set(Keys.toString({ tenantId, userId }), user)
          const wait = Duration.millis(resolved.retryAfter)
          for (const userId of resolved.unresolved) away.set(Keys.toString({ tenantId, userId }), wait)
        }
        const keys = new Map(
          claims.flatMap((claimed) => {
            const key = claimed.delivery.channel === "push" ? keyOf(claimed) : undefined
            return key === undefined ? [] : [[Keys.toString(key), key] as const]
          })
        )
        const found = keys.size === 0 ? [] : yield* devices.listAll([...keys.values()])
        const ofUser = new Map(found.map((one) => [Keys.toString(one.key), one]))
        const named = <A>(map: ReadonlyMap<string, A>, claimed: Claimed) => {
          const key = keyOf(claimed)
          return key === undefined ? undefined : map.get(Keys.toString(key))
        }
        const contacts: Contacts = {
          user: (claimed) => named(users, claimed),
          away: (claimed) => named(away, claimed),
          devices: (claimed) => named(ofUser, claimed)?.devices ?? [],
          missingKey: (claimed) => named(ofUser, claimed)?.missingKey
        }
        return contacts
      })

      const push = Effect.fnUntraced(function* (claimed: Claimed, contacts: Contacts) {
        const { content, delivery, progress } = claimed
        if (delivery.target._tag === "Topic")
          return parts({ message: MessageParts.topicPush(delivery.target, content ?? {}) })
        const done = new Set(progress)
        const left = contacts.devices(claimed).filter(({ hash }) => !done.has(hash))
        const missingKey = contacts.missingKey(claimed)
        // Those that open go first; for the others it waits only when it has reached none.
        if (left.length === 0 && progress.length === 0 && missingKey !== undefined) return yield* withoutKey(missingKey)
        if (left.length === 0) return unreachable("no_device")
        const text = yield* words.of(claimed, contacts.user(claimed))
        const receipt = yield* receipts.of(delivery.id)
        const shared = MessageParts.push(claimed, text, receipt)
        return parts(
          ...left.map((device): Part => ({
            device,
            message: {
              ...shared,
              to: { _tag: "Device", platform: device.platform, token: Redacted.make(device.token) }
            }
          }))
        )
      })

      const toAddress = Effect.fnUntraced(function* (claimed: Claimed, contacts: Contacts) {
        const { delivery, options } = claimed
        const user = contacts.user(claimed)
        const email = options?.to?.email ?? user?.email ?? undefined
        const phone = options?.to?.phone ?? user?.phone ?? undefined
        const address = delivery.channel === "email" ? email : phone
        if (address === undefined) {
          const retryAfter = contacts.away(claimed)
          return retryAfter === undefined ? unreachable("no_address") : wait(retryAfter)
        }
        const text = yield* words.of(claimed, user)
        if (delivery.channel === "email") return parts({ message: MessageParts.email(address, text, options) })
        if (delivery.channel === "sms") return parts({ message: { to: address, text: text.sms.text } })
        return parts({ message: MessageParts.whatsApp(address, text, options) })
      })

      const webhook = Effect.fnUntraced(function* (claimed: Claimed) {
        const { delivery } = claimed
        if (delivery.target._tag !== "Endpoint") return skip("no_endpoint")
        const { endpointId } = delivery.target
        const endpoint = yield* endpoints.get(delivery.tenantId, endpointId)
        if (Option.isNone(endpoint)) return skip("no_endpoint")
        if (!endpoint.value.enabled) {
          // A dead letter, so that what was missed can be replayed when the endpoint works again.
          const detail = "The endpoint is switched off"
          return { _tag: "Dead" as const, reason: "endpoint_disabled", detail }
        }
        const found = yield* Effect.result(endpoints.secrets(delivery.tenantId, endpointId, yield* DateTime.now))
        if (Result.isFailure(found)) {
          const missingKey = missingKeyOf(found.failure)
          return missingKey === undefined ? yield* found.failure : yield* withoutKey(missingKey)
        }
        const secrets = found.success
        return parts({
          message: {
            endpointId,
            url: endpoint.value.url,
            secrets: secrets.map(({ secret }) => secret),
            ...MessageParts.webhook(claimed)
          }
        })
      })

      const composeOne = (claimed: Claimed, contacts: Contacts) => {
        const { content, delivery, notifications } = claimed
        const reason = obstacle(delivery.condition, claimed)
        if (reason !== undefined) return Effect.succeed(skip(reason))
        if (content === undefined && notifications.length === 0) {
          // A digest brings only what is not seen.
          if (claimed.seen) return Effect.succeed(skip("seen"))
          const detail = "The notification is not kept any more"
          return Effect.succeed<Composed>({ _tag: "Dead", reason: "gone", detail })
        }
        const composed =
          delivery.channel === "webhook"
            ? webhook(claimed)
            : delivery.channel === "push"
              ? push(claimed, contacts)
              : toAddress(claimed, contacts)
        return Effect.catchTags(composed, {
          WordsMissing: ({ detail }) => Effect.succeed<Composed>({ _tag: "Dead", reason: "template", detail }),
          WordsLate: () => Effect.succeed<Composed>({ _tag: "Unfit", reason: "template_late" })
        })
      }

      /** What is wrong with one must not hold up the others: it is tried again like anything that is out of order. */
      const survived = (claimed: Claimed, contacts: Contacts) =>
        Effect.catchCause(composeOne(claimed, contacts), (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.interrupt
            : Effect.as(Effect.logError(`The delivery ${claimed.delivery.id} could not be composed`, cause), unfit)
        )

      const isExternal = (tenantId: TenantId) =>
        Effect.match(recipients.externalOf(tenantId), { onFailure: () => false, onSuccess: Option.isSome })

      return {
        apart: Effect.fnUntraced(function* (claims) {
          const external = new Map<TenantId, boolean>()
          for (const { delivery } of claims) {
            if (delivery.channel === "webhook" || external.has(delivery.tenantId)) continue
            external.set(delivery.tenantId, yield* isExternal(delivery.tenantId))
          }
          const together: Array<Claimed> = []
          const groups = new Map<TenantId, Array<Claimed>>()
          for (const claimed of claims) {
            const { tenantId } = claimed.delivery
            const group = groups.get(tenantId)
            if (group !== undefined) group.push(claimed)
            else if (external.get(tenantId) === true) groups.set(tenantId, [claimed])
            else together.push(claimed)
          }
          return together.length === 0 ? [...groups.values()] : [together, ...groups.values()]
        }),
        compose: Effect.fnUntraced(function* (claims) {
          const contacts = yield* contactsOf(claims)
          // Rendering does not wait for anything by itself: between two of them others have their turn.
          return yield* Effect.forEach(claims, (claimed) => Effect.tap(survived(claimed, contacts), Effect.yieldNow))
        })
      }
    })
  )
}
