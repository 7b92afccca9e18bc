/**
 * Takes deliveries that are due, sends them, and reports what became of them; on every node.
 *
 * **Details**
 *
 * A claim is written before anything is sent, so a provider never sees a delivery more often than its attempts say. What a
 * killed worker had claimed comes back when its lease ends; what takes long has its lease prolonged.
 */
import { Cause, Clock, Context, DateTime, Duration, Effect, Fiber, FiberSet, Layer, Random, Schedule } from "effect"
import { traceIdOf } from "@beckon/domain/CallOrigin"
import type { DeliveryChannel, DeliveryId } from "@beckon/domain/Delivery"
import { deliveryChannels } from "@beckon/domain/Delivery"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import type { Outgoing } from "@beckon/domain/ports/ChannelProvider"
import type { Claimed, Report } from "@beckon/domain/ports/DeliveryStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import * as Metrics from "../operations/Metrics.ts"
import { Aftermath } from "./Aftermath.ts"
import { Composer } from "./Composer.ts"
import type { Composed, Part } from "./Composer.ts"
import { DeliverySettings } from "./DeliverySettings.ts"
import { Nudges } from "./Nudges.ts"
import { Reporter } from "./Reporter.ts"
import { Sending } from "./Sending.ts"
import type { Sent } from "./Sending.ts"
import * as Verdict from "./Verdict.ts"

/** How long a stop waits for what is being sent. */
const grace = Duration.seconds(3)

const outgoingOf = (claimed: Claimed, part: Part): Outgoing => ({
  tenantId: claimed.delivery.tenantId,
  deliveryId: claimed.delivery.id,
  correlationId: claimed.options?.correlationId,
  traceparent: claimed.options?.traceparent,
  message: part.message
})

interface Job {
  readonly claimed: Claimed
  readonly parts: ReadonlyArray<Part>
}

/** Push goes in multicasts of one tenant; everything else alone, so that none waits for another. */
const groupsOf = (channel: DeliveryChannel, jobs: ReadonlyArray<Job>): ReadonlyArray<ReadonlyArray<Job>> => {
  if (channel !== "push") return jobs.map((job) => [job])
  const byTenant = new Map<string, Array<Job>>()
  for (const job of jobs) {
    const group = byTenant.get(job.claimed.delivery.tenantId)
    if (group === undefined) byTenant.set(job.claimed.delivery.tenantId, [job])
    else group.push(job)
  }
  return [...byTenant.values()]
}

/** What a line of the log about these is found by. */
const annotationsOf = (jobs: ReadonlyArray<Job>): Record<string, string> => {
  const [first, second] = jobs
  if (first === undefined) return {}
  const { delivery, options } = first.claimed
  if (second !== undefined) return { tenant: delivery.tenantId, channel: delivery.channel }
  return {
    tenant: delivery.tenantId,
    channel: delivery.channel,
    deliveryId: delivery.id,
    ...(options?.correlationId === undefined ? {} : { correlation_id: options.correlationId }),
    ...(options?.traceparent === undefined ? {} : { trace_id: traceIdOf(options.traceparent) ?? "" })
  }
}

export class Worker extends Context.Service<
  Worker,
  {
    /** Deliveries that are being worked at on this node. */
    readonly inFlight: () => number
  }
>()("@beckon/server/delivery/Worker") {
  /** `name`: what this node is called in the store, for people. */
  static readonly layer = (name: string) =>
    Layer.effect(
      Worker,
      Effect.gen(function* () {
        const store = yield* DeliveryStore
        const providers = yield* ChannelProviders
        const composer = yield* Composer
        const sending = yield* Sending
        const reporter = yield* Reporter
        const aftermath = yield* Aftermath
        const settings = yield* DeliverySettings
        const { send: nudge } = yield* Nudges
        const clock = yield* Clock.Clock

        /** What this worker has claimed, and until when it is its own. */
        const held = new Map<DeliveryId, { readonly claimed: Claimed; until: number }>()
        let stopping = false
        const busy = new Map<DeliveryChannel, number>()
        const running = yield* FiberSet.make<void>()

        /** More than this of one channel would only wait here instead of where other nodes find it. */
        const capacityOf = (channel: DeliveryChannel): number =>
          Math.max(
            settings.claimBatch / 5,
            providers[channel].reduce((sum, { concurrency, maxBatch }) => sum + concurrency * maxBatch, 0)
          )

        const finish = Effect.fnUntraced(function* (claimed: Claimed, report: Report) {
          yield* reporter.report(report)
          if (held.get(claimed.delivery.id)?.claimed === claimed) held.delete(claimed.delivery.id)
          const { channel, tenantId } = claimed.delivery
          Metrics.add("attempts", tenantId, { channel, outcome: report.result._tag.toLowerCase() }, 1)
          const left = (busy.get(channel) ?? 1) - 1
          busy.set(channel, left)
          if (left === Math.floor(capacityOf(channel) / 2)) nudge.now()
        })

        const conclude = Effect.fnUntraced(function* (job: Job, sent: ReadonlyArray<Sent>) {
          const now = yield* DateTime.now
          const random = yield* Random.next
          yield* aftermath.of(job.claimed, job.parts, sent)
          yield* finish(job.claimed, Verdict.ofSent(job.claimed, job.parts, sent, { settings, now, random }))
        })

        const sendGroup = Effect.fnUntraced(function* (channel: DeliveryChannel, jobs: ReadonlyArray<Job>) {
          const tenantId = jobs[0]?.claimed.delivery.tenantId
          if (tenantId === undefined) return
          const batch = jobs.flatMap(({ claimed, parts }) => parts.map((part) => outgoingOf(claimed, part)))
          const claims = new Map(jobs.map(({ claimed }) => [claimed.delivery.id, claimed]))
          // A lease that ran out while its message waited for its turn is another worker's now; and a stop begins nothing.
          const isHeld = (id: DeliveryId) => {
            const lease = held.get(id)
            if (stopping || lease === undefined || lease.claimed !== claims.get(id)) return false
            return lease.until > clock.currentTimeMillisUnsafe()
          }
          const sent = yield* sending.send(channel, tenantId, batch, isHeld)
          let from = 0
          yield* Effect.forEach(
            jobs.map((job) => ({ job, sent: sent.slice(from, (from += job.parts.length)) })),
            (one) => conclude(one.job, one.sent),
            { concurrency: "unbounded", discard: true }
          )
        })

        /** A fault of ours in one group must not interrupt the others in the middle of their sends. */
        const sendSafely = (channel: DeliveryChannel, jobs: ReadonlyArray<Job>) =>
          Effect.catchCause(sendGroup(channel, jobs), (cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.interrupt
              : Effect.logError("Deliveries could not be sent; they come back when their lease ends", cause)
          ).pipe(Effect.annotateLogs(annotationsOf(jobs)))

        const isWorn = ({ unreported }: Claimed): boolean => unreported > settings.maxClaims

        const work = Effect.fnUntraced(function* (channel: DeliveryChannel, claims: ReadonlyArray<Claimed>) {
          const fit = claims.filter((claimed) => !isWorn(claimed))
          const composed = yield* composer.compose(fit)
          const now = yield* DateTime.now
          const random = yield* Random.next
          const jobs: Array<Job> = []
          const conclude = (claimed: Claimed, one: Exclude<Composed, { readonly _tag: "Parts" }>) =>
            finish(claimed, Verdict.ofUnsent(claimed, one, { settings, now, random }))
          const done = claims.filter(isWorn).map((claimed) => {
            const detail = `Taken ${claimed.unreported} times in a row without a result`
            return conclude(claimed, { _tag: "Dead", reason: "claimed_too_often", detail })
          })
          fit.forEach((claimed, index) => {
            const one = composed[index]
            if (one === undefined) return
            if (one._tag === "Parts") jobs.push({ claimed, parts: one.parts })
            else done.push(conclude(claimed, one))
          })
          yield* Effect.all([...done, ...groupsOf(channel, jobs).map((group) => sendSafely(channel, group))], {
            concurrency: "unbounded",
            discard: true
          })
        })

        /** What goes wrong here leaves the lease: it is tried again when that ends. */
        const survived = (channel: DeliveryChannel, claims: ReadonlyArray<Claimed>) =>
          Effect.catchCause(work(channel, claims), (cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.void
              : Effect.logError("Deliveries could not be worked at; they come back when their lease ends", cause)
          ).pipe(
            Effect.ensuring(
              Effect.sync(() => {
                let left = 0
                for (const claimed of claims) {
                  if (held.get(claimed.delivery.id)?.claimed !== claimed) continue
                  held.delete(claimed.delivery.id)
                  left += 1
                }
                busy.set(channel, Math.max(0, (busy.get(channel) ?? 0) - left))
                nudge.now()
              })
            )
          )

        const round = Effect.gen(function* () {
          const now = yield* DateTime.now
          const until = DateTime.toEpochMillis(DateTime.addDuration(now, settings.lease))
          const channels = deliveryChannels.filter((channel) => (busy.get(channel) ?? 0) < capacityOf(channel))
          const claims =
            channels.length === 0
              ? []
              : yield* store.claim({
                  channels,
                  limit: settings.claimBatch,
                  now,
                  lease: settings.lease,
                  worker: name
                })
          for (const channel of deliveryChannels) {
            const mine = claims.filter(({ delivery }) => delivery.channel === channel)
            if (mine.length === 0) continue
            busy.set(channel, (busy.get(channel) ?? 0) + mine.length)
            for (const claimed of mine) held.set(claimed.delivery.id, { claimed, until })
            for (const group of yield* composer.apart(mine)) yield* FiberSet.run(running, survived(channel, group))
          }
          if (claims.length < settings.claimBatch) yield* nudge.wait(settings.poll)
        })

        const rounds = Effect.forever(
          Effect.catchCause(round, (cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.failCause(cause)
              : Effect.andThen(Effect.logWarning("No deliveries could be claimed", cause), Effect.sleep(settings.poll))
          )
        )

        const prolong = Effect.gen(function* () {
          const leases = [...held.values()]
          if (leases.length === 0) return
          const until = DateTime.addDuration(yield* DateTime.now, settings.lease)
          const claims = leases.map(({ claimed: { attempt, delivery } }) => ({ id: delivery.id, attempt }))
          const kept = new Set(yield* store.extend(claims, until))
          for (const lease of leases)
            if (kept.has(lease.claimed.delivery.id)) lease.until = DateTime.toEpochMillis(until)
        }).pipe(Effect.catch((error) => Effect.logWarning("Leases could not be prolonged", error)))

        const loop = yield* Effect.forkScoped(rounds)
        yield* Effect.forkScoped(Effect.repeat(prolong, Schedule.spaced(Duration.times(settings.lease, 1 / 3))))
        // Last in, first out: first nothing new is claimed, then what is being sent has a moment.
        yield* Effect.addFinalizer(() =>
          Effect.suspend(() => {
            stopping = true
            return Effect.andThen(Fiber.interrupt(loop), Effect.timeoutOption(FiberSet.awaitEmpty(running), grace))
          })
        )

        return { inFlight: () => held.size }
      })
    )
}
