/**
 * Throws away what tenants no longer want to keep: by their setting `retention`, in days, in small pieces.
 *
 * **Details**
 *
 * One node does it at a time, by a duty in the database. Notifications leave through their mailboxes, which know from then on that
 * nobody can resume from before; everything else leaves by statements of a few hundred rows, with a pause after each, so that
 * neither locks nor a long transaction stand in anybody's way. What is left when a round ends leaves in the next one.
 *
 * **Gotchas**
 *
 * Only tenants that have a row have retention. A day is 24 hours, from the time of writing.
 */
import { Cause, DateTime, Duration, Effect, Layer, Schedule } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { RetentionStore } from "@beckon/domain/ports/RetentionStore"
import type { Kept } from "@beckon/domain/ports/RetentionStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { Tenant } from "@beckon/domain/Tenant"
import { Mailboxes } from "../mailbox/Mailboxes.ts"

export interface RetentionOptions {
  /** Between two rounds. */
  readonly every: Duration.Duration
  /** After each statement. */
  readonly pause?: Duration.Input
}

const duty = "retention"
const tenantsAtOnce = 100
const mailboxesAtOnce = 200
const rowsAtOnce = 500
const kinds: ReadonlyArray<Kept> = ["deliveries", "batches", "audit"]

export const make = Effect.fnUntraced(function* ({ every, pause = "20 millis" }: RetentionOptions) {
  const tenants = yield* TenantStore
  const store = yield* RetentionStore
  const notifications = yield* NotificationStore
  const mailboxes = yield* Mailboxes

  const trimOne = Effect.fnUntraced(function* (mailbox: {
    readonly tenantId: TenantId
    readonly userId: Parameters<typeof mailboxes.changeState>[0]["userId"]
    readonly uptoSeq: number
  }) {
    const { uptoSeq, ...key } = mailbox
    let total = 0
    while (true) {
      const { changed } = yield* mailboxes.changeState(key, { _tag: "Trim", uptoSeq })
      total += changed
      if (changed === 0) return total
      yield* Effect.sleep(pause)
    }
  })

  const trimAll = Effect.fnUntraced(function* (tenantId: TenantId, before: DateTime.Utc) {
    let total = 0
    let afterUserId: { readonly afterUserId?: Parameters<typeof mailboxes.changeState>[0]["userId"] } = {}
    while (true) {
      const page = yield* notifications.aged(tenantId, before, { ...afterUserId, limit: mailboxesAtOnce })
      const trimmed = yield* Effect.forEach(page.mailboxes, trimOne, { concurrency: 4 })
      total += trimmed.reduce((sum, one) => sum + one, 0)
      if (page.next === undefined) return total
      afterUserId = { afterUserId: page.next }
      yield* Effect.sleep(pause)
    }
  })

  const sweepAll = Effect.fnUntraced(function* (tenantId: TenantId, kept: Kept, before: DateTime.Utc) {
    let total = 0
    while (true) {
      const gone = yield* store.sweep(tenantId, kept, before, rowsAtOnce)
      total += gone
      if (gone === 0) return total
      yield* Effect.sleep(pause)
    }
  })

  const ofTenant = Effect.fn("Retention.ofTenant")(function* ({ id, settings }: Tenant, now: DateTime.Utc) {
    const { retention = {} } = settings
    const before = (days: number) => DateTime.subtract(now, { days })
    const gone: Record<string, number> = {}
    if (retention.notifications !== undefined) {
      gone["notifications"] = yield* trimAll(id, before(retention.notifications))
    }
    for (const kept of kinds) {
      const days = retention[kept]
      if (days !== undefined) gone[kept] = yield* sweepAll(id, kept, before(days))
    }
    if (Object.values(gone).some((count) => count > 0)) {
      yield* Effect.logInfo("Retention threw away what a tenant no longer keeps", { tenant: id, ...gone })
    }
    return gone
  })

  /** All tenants once; one that fails does not keep the others from it. */
  const round = Effect.gen(function* () {
    const now = yield* DateTime.now
    let afterId: { readonly afterId?: TenantId } = {}
    while (true) {
      const page = yield* tenants.list({ ...afterId, limit: tenantsAtOnce })
      for (const tenant of page) {
        yield* Effect.catchCause(ofTenant(tenant, now), (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause)
            : Effect.logWarning(
                "Retention did not get to its end; the next round goes on",
                { tenant: tenant.id },
                cause
              )
        )
      }
      const last = page.at(-1)
      if (page.length < tenantsAtOnce || last === undefined) return
      afterId = { afterId: last.id }
    }
  })

  /** Somewhat shorter than the interval, so that the same node may do it again. */
  const turn = Effect.gen(function* () {
    const isMine = yield* store.takeDuty(duty, yield* DateTime.now, Duration.times(every, 0.9))
    if (isMine) yield* round
  })
  return { turn: asSystem(turn), ofTenant: (tenant: Tenant, now: DateTime.Utc) => asSystem(ofTenant(tenant, now)) }
})

/** Begins a little after the start, so that a crash in a loop does not do it all the time. */
export const layer = (options: RetentionOptions) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { turn } = yield* make(options)
      const survived = Effect.catchCause(turn, (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.logWarning("A round of retention failed", cause)
      )
      yield* Effect.forkScoped(
        Effect.delay(
          Effect.repeat(survived, Schedule.jittered(Schedule.spaced(options.every))),
          Duration.min(Duration.times(options.every, 0.1), Duration.minutes(1))
        )
      )
    })
  )
