import { fromStored, initial, Preferences } from "@beckon/domain/Preferences"
import * as Keys from "@beckon/domain/MailboxKey"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as LoggedOnce from "./LoggedOnce.ts"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

const encode = Schema.encodeEffect(Schema.fromJsonString(Preferences))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const once = LoggedOnce.make()

  return PreferenceStore.of({
    get: Effect.fn("PreferenceStore.get")(function* (key) {
      const rows = yield* sql<{ preferences: unknown }>`
        select preferences from preferences where tenant_id = ${key.tenantId} and user_id = ${key.userId}`
      if (rows[0] === undefined) return initial
      const { dropped, value } = fromStored(rows[0].preferences)
      if (dropped.length > 0) {
        yield* once(Keys.toString(key), "Saved preferences are not understood any more; the rest of them counts", {
          ...key,
          dropped
        })
      }
      return value
    }, unavailable("PreferenceStore.get")),

    set: Effect.fn("PreferenceStore.set")(function* (key, preferences) {
      const json = yield* encode(preferences)
      const now = yield* DateTime.now
      yield* sql`
        insert into preferences (tenant_id, user_id, preferences, updated_at)
        values (${key.tenantId}, ${key.userId}, ${json}::jsonb, ${timestamp(now)})
        on conflict (tenant_id, user_id)
        do update set preferences = excluded.preferences, updated_at = excluded.updated_at`
    }, unavailable("PreferenceStore.set")),

    setIf: Effect.fn("PreferenceStore.setIf")(function* (key, preferences, expects) {
      const json = yield* encode(preferences)
      const at = timestamp(yield* DateTime.now)
      const change = Effect.gen(function* () {
        const [row] = yield* sql<{ preferences: unknown }>`
          select preferences from preferences where tenant_id = ${key.tenantId} and user_id = ${key.userId} for update`
        if (!expects(row === undefined ? initial : fromStored(row.preferences).value)) return false
        const written =
          row === undefined
            ? yield* sql`
                insert into preferences (tenant_id, user_id, preferences, updated_at)
                values (${key.tenantId}, ${key.userId}, ${json}::jsonb, ${at})
                on conflict (tenant_id, user_id) do nothing returning 1`
            : yield* sql`
                update preferences set preferences = ${json}::jsonb, updated_at = ${at}
                where tenant_id = ${key.tenantId} and user_id = ${key.userId} returning 1`
        return written.length > 0
      })
      return yield* sql.withTransaction(change)
    }, unavailable("PreferenceStore.setIf"))
  })
})

/** Preferences in PostgreSQL. */
export const layer: Layer.Layer<PreferenceStore, never, SqlClient> = Layer.effect(PreferenceStore, make)
