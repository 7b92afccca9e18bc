/**
 * Notes what callers do to a tenant.
 *
 * **Details**
 *
 * An entry is saved after the deed and before its answer. When the log does not take it, it is tried again for about a second
 * and then logged as an error with all that it says: the deed is done, and must not look undone.
 */
import { Context, DateTime, Effect, Layer, Schedule } from "effect"
import type { Schema } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import type { Actor, AuditEntry } from "@beckon/domain/AuditEntry"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { Identity } from "@beckon/domain/Identity"
import type { TenantId } from "@beckon/domain/Identifiers"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { redact } from "./Redaction.ts"

export interface Deed {
  /** `resource.verb`, such as `template.activate`. */
  readonly action: string
  /** `template/welcome`. */
  readonly target: string
  /** Never secrets. */
  readonly before?: Schema.Json
  readonly after?: Schema.Json
  /** The tenant it was done to, where it is not the caller's own. */
  readonly tenantId?: TenantId
}

/** Whom an entry names: the key that was shown, or the user. */
export const actorOf = ({ keyId, roles, userId }: Identity): Actor =>
  keyId === undefined ? { kind: "user", id: userId, roles } : { kind: "key", id: keyId, roles }

/** What a part of the server does by itself. */
export const system = (name: string): Actor => ({ kind: "system", id: name, roles: [] })

/** Six tries in about a second. */
const again = Schedule.upTo(Schedule.exponential("30 millis"), { times: 5 })

export class Audit extends Context.Service<
  Audit,
  {
    /** After the deed, before its answer; an entry that cannot be saved is tried again, then logged as an error. */
    readonly record: (deed: Deed) => Effect.Effect<void, never, CurrentIdentity>
    /** The same where nobody called, or before it is known who does. */
    readonly recordAs: (actor: Actor, tenantId: TenantId, deed: Deed) => Effect.Effect<void>
  }
>()("@beckon/server/audit/Audit") {
  static readonly layer: Layer.Layer<Audit, never, AuditLog> = Layer.effect(
    Audit,
    Effect.gen(function* () {
      const log = yield* AuditLog

      const recordAs = Effect.fn("Audit.recordAs")(function* (actor: Actor, tenantId: TenantId, deed: Deed) {
        const { address, correlationId } = yield* CallOrigin
        const entry: AuditEntry = {
          id: uuidV7Unsafe(),
          tenantId: deed.tenantId ?? tenantId,
          at: yield* DateTime.now,
          actor,
          action: deed.action,
          target: deed.target,
          address,
          correlationId,
          before: deed.before === undefined ? null : redact(deed.before),
          after: deed.after === undefined ? null : redact(deed.after)
        }
        // The same id each time: an entry whose answer was lost is not written twice.
        yield* log.append([entry]).pipe(
          Effect.retry(again),
          asSystem,
          Effect.catch((error) =>
            Effect.annotateLogs(Effect.logError("An entry of the audit log could not be saved", error), {
              tenant: entry.tenantId,
              audit: entry
            })
          ),
          // The deed is done: a caller who leaves now does not take its entry away.
          Effect.uninterruptible
        )
      })

      return {
        recordAs,
        record: (deed) =>
          Effect.flatMap(CurrentIdentity, (identity) => recordAs(actorOf(identity), identity.tenantId, deed))
      }
    })
  )
}
