/**
 * Takes events in: decode, route, deliver. What does not decode goes to the dead letters with the reason.
 */
import { Context, Effect, Layer, Result, Schema } from "effect"
import * as CallOrigin from "@beckon/domain/CallOrigin"
import { Traceparent } from "@beckon/domain/DeliveryOptions"
import * as FriendRequest from "@beckon/domain/events/FriendRequestEvent"
import { Event, toDrafts } from "@beckon/domain/events/Event"
import type { PlainEvent } from "@beckon/domain/events/Event"
import * as Command from "@beckon/domain/events/NotificationCommand"
import * as Order from "@beckon/domain/events/OrderEvent"
import { TenantId } from "@beckon/domain/Identifiers"
import type { Accepted, Draft } from "@beckon/domain/Notification"
import type { Unavailable } from "@beckon/domain/Problem"
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { EventBus, tenantHeader } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { storeToProblem } from "../inbox/Inbox.ts"
import { identifierOf } from "@beckon/domain/Text"
import { Mailboxes } from "../mailbox/Mailboxes.ts"
import { OrderTracking } from "../orders/OrderTracking.ts"

const decodeEvent = Schema.decodeUnknownResult(Schema.fromJsonString(Event))
const decodeCommand = Schema.decodeUnknownResult(Schema.fromJsonString(Command.NotificationCommand))
const decodeTenant = Schema.decodeUnknownResult(TenantId)

const defaultTenant = TenantId.make("default")

interface Made {
  readonly tenant: TenantId
  readonly drafts: ReadonlyArray<Draft>
  readonly event: PlainEvent | undefined
}

const isCorrelationId = Schema.is(identifierOf(128))
const isTraceparent = Schema.is(Traceparent)

/** What cannot be kept is left out: it must not make a dead letter of its record. */
const originOf = ({ headers }: EventRecord): CallOrigin.CallOrigin => {
  const { [CallOrigin.correlationHeader]: id, traceparent } = headers
  return {
    address: null,
    correlationId: isCorrelationId(id) ? id : null,
    traceparent: isTraceparent(traceparent) ? traceparent : null
  }
}

/** What a record becomes; commands have a topic of their own, all other topics carry events. */
const madeOf = (record: EventRecord): Result.Result<Made, Schema.SchemaError> =>
  Result.flatMap(
    decodeTenant(record.headers[tenantHeader] ?? defaultTenant),
    (tenant): Result.Result<Made, Schema.SchemaError> => {
      const correlated = (drafts: ReadonlyArray<Draft>) => CallOrigin.correlated(drafts, originOf(record))
      return record.topic === Command.topic
        ? Result.map(decodeCommand(record.value), (command) => ({
            tenant,
            drafts: correlated(Command.toDrafts(tenant, command)),
            event: undefined
          }))
        : Result.map(decodeEvent(record.value), (event) => ({
            tenant,
            drafts: correlated(toDrafts(tenant, event)),
            event
          }))
    }
  )

export interface Ingested {
  readonly eventId: string
  readonly notifications: ReadonlyArray<Accepted & Pick<Draft, "userId">>
}

export class EventIngest extends Context.Service<
  EventIngest,
  {
    /** Answers, in order, when the notifications of all events are saved. A known event answers what it made before. */
    readonly ingest: (
      tenantId: TenantId,
      events: ReadonlyArray<Event>
    ) => Effect.Effect<ReadonlyArray<Ingested>, Unavailable>
    /** The same for records of a topic; those that do not decode become dead letters. */
    readonly ingestRecords: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, Unavailable | StoreUnavailable>
  }
>()("@beckon/server/ingest/EventIngest") {
  static readonly layer = Layer.effect(
    EventIngest,
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const deadLetters = yield* DeadLetters
      const orders = yield* OrderTracking

      const ingest = Effect.fn("EventIngest.ingest")(function* (tenantId: TenantId, events: ReadonlyArray<Event>) {
        const draftsOf = events.map((event) => toDrafts(tenantId, event))
        // First, so that whoever reads of his driver may follow him.
        yield* Effect.catch(orders.follow(tenantId, events), storeToProblem)
        const accepted = yield* mailboxes.deliver(draftsOf.flat())
        let from = 0
        return events.map((event, index): Ingested => {
          const drafts = draftsOf[index] ?? []
          const answers = accepted.slice(from, (from += drafts.length))
          return {
            eventId: event.eventId,
            notifications: drafts.flatMap(({ userId }, at) => {
              const answer = answers[at]
              return answer === undefined ? [] : [{ ...answer, userId }]
            })
          }
        })
      })

      const ingestRecords = Effect.fn("EventIngest.ingestRecords")(function* (records: ReadonlyArray<EventRecord>) {
        const drafts: Array<Draft> = []
        const events = new Map<TenantId, Array<PlainEvent>>()
        const dead: Array<readonly [EventRecord, string]> = []
        for (const record of records) {
          const made = madeOf(record)
          if (Result.isFailure(made)) {
            dead.push([record, made.failure.message])
            continue
          }
          const { event, tenant } = made.success
          drafts.push(...made.success.drafts)
          if (event !== undefined) events.set(tenant, [...(events.get(tenant) ?? []), event])
        }
        for (const [tenant, some] of events) yield* orders.follow(tenant, some)
        if (drafts.length > 0) yield* mailboxes.deliver(drafts)
        // Last: all records come again when the mailboxes push back, and a letter has no dedupe key.
        for (const [record, reason] of dead) {
          yield* Effect.logWarning("A record became a dead letter").pipe(
            Effect.annotateLogs({ topic: record.topic, reason })
          )
          yield* deadLetters.add(record, reason)
        }
      })

      return { ingest, ingestRecords }
    })
  )

  /** Consumes R0's and R1's topics, and commands, from the bus. */
  static readonly layerConsumers = Layer.effectDiscard(
    Effect.gen(function* () {
      const bus = yield* EventBus
      const { ingestRecords } = yield* EventIngest
      yield* bus.consume(FriendRequest.topic, FriendRequest.group, ingestRecords)
      yield* bus.consume(Order.topic, Order.group, ingestRecords)
      yield* bus.consume(Command.topic, Command.group, ingestRecords)
    })
  )
}
