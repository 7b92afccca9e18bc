/**
 * Notes that API keys are used, without making their callers wait.
 *
 * **Details**
 *
 * Each node writes the last use of a key once a minute at most, and audit entries once an hour: one for its use, and one for each
 * reason why it was refused.
 */
import { DateTime, Duration, Effect } from "effect"
import type { Scope } from "effect"
import type { KnownApiKey } from "@beckon/domain/ApiKey"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { Audit } from "../audit/Audit.ts"

const useEvery = Duration.toMillis(Duration.minutes(1))
const auditEvery = Duration.toMillis(Duration.hours(1))

/** Names that are remembered; past it all are noted anew. */
const maxNames = 10_000

/** Whether it is time again for this name. */
const makeEvery = (interval: number) => {
  const lastOf = new Map<string, number>()
  return (name: string, now: number): boolean => {
    const last = lastOf.get(name)
    if (last !== undefined && now - last < interval) return false
    if (lastOf.size >= maxNames) lastOf.clear()
    lastOf.set(name, now)
    return true
  }
}

export interface ApiKeyUse {
  readonly used: (known: KnownApiKey) => Effect.Effect<void>
  readonly refused: (known: KnownApiKey, reason: string) => Effect.Effect<void>
}

/** What it writes is written until the scope closes. */
export const make: Effect.Effect<ApiKeyUse, never, ApiKeyStore | Audit | Scope.Scope> = Effect.gen(function* () {
  const store = yield* ApiKeyStore
  const audit = yield* Audit
  const scope = yield* Effect.scope
  const isTimeToWrite = makeEvery(useEvery)
  const isTimeToAudit = makeEvery(auditEvery)

  const record = ({ key }: KnownApiKey, action: string, reason?: string) =>
    audit.recordAs({ kind: "key", id: key.id, roles: [key.role] }, key.tenantId, {
      action,
      target: `api_key/${key.id}`,
      ...(reason === undefined ? {} : { after: { reason } })
    })

  const noteUse = Effect.fnUntraced(function* ({ key }: KnownApiKey, at: DateTime.Utc) {
    const { address } = yield* CallOrigin
    yield* store.noteUse(key.tenantId, key.id, address, at).pipe(
      asSystem,
      Effect.catch((error) =>
        Effect.logWarning("The use of an API key could not be noted", { tenant: key.tenantId, keyId: key.id }, error)
      )
    )
  })

  return {
    used: Effect.fnUntraced(function* (known) {
      const now = yield* DateTime.now
      if (isTimeToWrite(known.key.id, now.epochMilliseconds)) yield* Effect.forkIn(noteUse(known, now), scope)
      if (isTimeToAudit(`use ${known.key.id}`, now.epochMilliseconds)) {
        yield* Effect.forkIn(record(known, "api_key.use"), scope)
      }
    }),
    refused: Effect.fnUntraced(function* (known, reason) {
      const now = yield* DateTime.now
      if (isTimeToAudit(`${reason} ${known.key.id}`, now.epochMilliseconds)) {
        yield* Effect.forkIn(record(known, "api_key.refuse", reason), scope)
      }
    })
  }
})
