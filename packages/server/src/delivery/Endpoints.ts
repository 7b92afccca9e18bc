/**
 * The webhook endpoints of tenants: made, changed, given new secrets, tried out.
 *
 * **Details**
 *
 * A URL is judged as it is written: what its name leads to is judged at every connection, and a look at it here would tell strangers
 * about names inside. A secret leaves this service twice: when it is made, and to sign.
 */
import { Context, DateTime, Duration, Effect, Layer, Option, Redacted } from "effect"
import { randomBytesUnsafe, uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { Base64 } from "effect/encoding"
import type { WebhookEndpointPatch } from "@beckon/domain/api/WebhookApi"
import type { Delivery, DeliveryId, DeliveryState } from "@beckon/domain/Delivery"
import { urgencyOf } from "@beckon/domain/DeliveryOptions"
import type { TenantId } from "@beckon/domain/Identifiers"
import { Conflict, NotFound, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import type { WebhookEndpoint, WebhookEndpointInput } from "@beckon/domain/WebhookEndpoint"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Nudges } from "./Nudges.ts"

/** Every notification may go to each of them. */
export const maxEndpoints = 50

/** Each makes the signature header 48 bytes longer. */
const maxSecrets = 5

export const defaultOverlap = Duration.days(1)

const unknown = new NotFound({ detail: "id: no webhook endpoint of your tenant has this id" })

/** Standard Webhooks: 24 to 64 bytes, with a prefix by which scanners of code find what has leaked. */
const newSecret = () => Redacted.make(`whsec_${Base64.encode(randomBytesUnsafe(32))}`, { label: "webhook secret" })

export interface DeliveryQuery {
  readonly limit: number
  readonly states?: ReadonlyArray<DeliveryState> | undefined
  readonly before?: DeliveryId | undefined
}

export interface DeliveryPage {
  readonly deliveries: ReadonlyArray<Delivery>
  /** Where the next page begins; absent after the last one. */
  readonly next: DeliveryId | undefined
}

export class Endpoints extends Context.Service<
  Endpoints,
  {
    readonly create: (
      tenantId: TenantId,
      input: WebhookEndpointInput
    ) => Effect.Effect<
      { readonly endpoint: WebhookEndpoint; readonly secret: Redacted.Redacted },
      Conflict | Unavailable | Unprocessable
    >
    /** Oldest first. */
    readonly list: (tenantId: TenantId) => Effect.Effect<ReadonlyArray<WebhookEndpoint>, Unavailable>
    readonly get: (tenantId: TenantId, id: string) => Effect.Effect<WebhookEndpoint, NotFound | Unavailable>
    readonly update: (
      tenantId: TenantId,
      id: string,
      change: WebhookEndpointPatch
    ) => Effect.Effect<WebhookEndpoint, NotFound | Unavailable | Unprocessable>
    readonly remove: (tenantId: TenantId, id: string) => Effect.Effect<void, NotFound | Unavailable>
    /** The former secrets sign too until `formerUntil`. */
    readonly rotate: (
      tenantId: TenantId,
      id: string,
      overlap?: Duration.Duration
    ) => Effect.Effect<
      { readonly secret: Redacted.Redacted; readonly formerUntil: DateTime.Utc },
      Conflict | NotFound | Unavailable
    >
    /** Sends an event of the type `ping`; answers its delivery. */
    readonly test: (tenantId: TenantId, id: string) => Effect.Effect<DeliveryId, Conflict | NotFound | Unavailable>
    /** Newest first. */
    readonly deliveries: (
      tenantId: TenantId,
      id: string,
      query: DeliveryQuery
    ) => Effect.Effect<DeliveryPage, NotFound | Unavailable>
    /** Sends what was sent, and what is dead, again; ids of others are passed over. */
    readonly replay: (
      tenantId: TenantId,
      id: string,
      ids: ReadonlyArray<DeliveryId>
    ) => Effect.Effect<
      ReadonlyArray<{ readonly id: DeliveryId; readonly replayedAs: DeliveryId }>,
      Conflict | NotFound | Unavailable
    >
  }
>()("@beckon/server/delivery/Endpoints") {
  static readonly layer = Layer.effect(
    Endpoints,
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const deliveries = yield* DeliveryStore
      const outbound = yield* OutboundPost
      const nudges = yield* Nudges

      /** The URL in its one usual form. */
      const checked = (url: string) =>
        outbound.check(url).pipe(
          Effect.map(({ href }) => href),
          Effect.mapError(({ reason }) => new Unprocessable({ detail: `url: ${reason}` }))
        )

      const get = Effect.fn("Endpoints.get")(function* (tenantId: TenantId, id: string) {
        const found = yield* Effect.catch(store.get(tenantId, id), storeToProblem)
        return Option.isSome(found) ? found.value : yield* unknown
      })

      const create = Effect.fn("Endpoints.create")(function* (tenantId: TenantId, input: WebhookEndpointInput) {
        const url = yield* checked(input.url)
        const present = yield* Effect.catch(store.list(tenantId), storeToProblem)
        if (present.length >= maxEndpoints) {
          return yield* new Conflict({ detail: `a tenant has at most ${maxEndpoints} webhook endpoints` })
        }
        const secret = newSecret()
        const now = yield* DateTime.now
        const endpoint = yield* Effect.catch(
          store.create(tenantId, uuidV7Unsafe(), { ...input, url }, secret, now),
          storeToProblem
        )
        return { endpoint, secret }
      })

      const update = Effect.fn("Endpoints.update")(function* (
        tenantId: TenantId,
        id: string,
        { url, ...change }: WebhookEndpointPatch
      ) {
        const located = url === undefined ? change : { ...change, url: yield* checked(url) }
        const changed = yield* Effect.catch(store.update(tenantId, id, located), storeToProblem)
        return Option.isSome(changed) ? changed.value : yield* unknown
      })

      const remove = Effect.fn("Endpoints.remove")(function* (tenantId: TenantId, id: string) {
        if (!(yield* Effect.catch(store.remove(tenantId, id), storeToProblem))) return yield* unknown
      })

      const rotate = Effect.fn("Endpoints.rotate")(function* (
        tenantId: TenantId,
        id: string,
        overlap: Duration.Duration = defaultOverlap
      ) {
        yield* get(tenantId, id)
        const now = yield* DateTime.now
        const formerUntil = DateTime.addDuration(now, overlap)
        const ends = Duration.isZero(overlap)
        const signing = ends ? [] : yield* Effect.catch(store.secrets(tenantId, id, now), storeToProblem)
        if (signing.length >= maxSecrets) {
          return yield* new Conflict({
            detail: `${maxSecrets} secrets sign already; wait for one to end, or end all with overlap_seconds 0`
          })
        }
        const secret = newSecret()
        const rotated = yield* Effect.catch(store.rotate(tenantId, id, secret, formerUntil, now), storeToProblem)
        return rotated ? { secret, formerUntil } : yield* unknown
      })

      const test = Effect.fn("Endpoints.test")(function* (tenantId: TenantId, id: string) {
        const { enabled } = yield* get(tenantId, id)
        if (!enabled) return yield* new Conflict({ detail: "enabled: the endpoint is switched off" })
        const now = yield* DateTime.now
        const [deliveryId] = yield* Effect.catch(
          deliveries.add(
            [
              {
                tenantId,
                userId: null,
                delivery: {
                  channel: "webhook",
                  target: { _tag: "Endpoint", endpointId: id },
                  condition: "always",
                  urgency: urgencyOf.high,
                  dueAt: now
                },
                content: { type: "ping", timestamp: DateTime.formatIso(now), data: { endpoint_id: id } }
              }
            ],
            now
          ),
          storeToProblem
        )
        if (deliveryId === undefined) return yield* new Unavailable({ detail: "The store gave no answer; try again." })
        nudges.send.now()
        return deliveryId
      })

      const listed = Effect.fn("Endpoints.deliveries")(function* (
        tenantId: TenantId,
        id: string,
        { before, limit, states = [] }: DeliveryQuery
      ) {
        yield* get(tenantId, id)
        const rows = yield* Effect.catch(
          deliveries.list(tenantId, {
            endpointId: id,
            limit: limit + 1,
            ...(states.length === 0 ? {} : { states }),
            ...(before === undefined ? {} : { before })
          }),
          storeToProblem
        )
        const page = rows.slice(0, limit)
        return { deliveries: page, next: rows.length > limit ? page.at(-1)?.id : undefined }
      })

      const replay = Effect.fn("Endpoints.replay")(function* (
        tenantId: TenantId,
        id: string,
        ids: ReadonlyArray<DeliveryId>
      ) {
        const { enabled } = yield* get(tenantId, id)
        if (!enabled) return yield* new Conflict({ detail: "enabled: the endpoint is switched off" })
        const target = { _tag: "Ids" as const, ids, endpointId: id }
        const replayed = yield* Effect.catch(deliveries.replay(tenantId, target, yield* DateTime.now), storeToProblem)
        nudges.send.now()
        return replayed
      })

      return {
        create,
        list: (tenantId) => Effect.catch(store.list(tenantId), storeToProblem),
        get,
        update,
        remove,
        rotate,
        test,
        deliveries: listed,
        replay
      }
    })
  )
}
