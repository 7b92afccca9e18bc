import { initial, Preferences } from "@beckon/domain/Preferences"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

const decode = Schema.decodeUnknownEffect(Preferences)
const encode = Schema.encodeEffect(Schema.fromJsonString(Preferences))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return PreferenceStore.of({
    get: Effect.fn("PreferenceStore.get")(function* (key) {
      const rows = yield* sql<{ preferences: unknown }>`
        select preferences from preferences where tenant_id = ${key.tenantId} and user_id = ${key.userId}`
      return rows[0] === undefined ? initial : yield* decode(rows[0].preferences)
    }, unavailable("PreferenceStore.get")),

    set: Effect.fn("PreferenceStore.set")(function* (key, preferences) {
      const json = yield* encode(preferences)
      const now = yield* DateTime.now
      yield* sql`
        insert into preferences (tenant_id, user_id, preferences, updated_at)
        values (${key.tenantId}, ${key.userId}, ${json}::jsonb, ${timestamp(now)})
        on conflict (tenant_id, user_id)
        do update set preferences = excluded.preferences, updated_at = excluded.updated_at`
    }, unavailable("PreferenceStore.set"))
  })
})

/** Preferences in PostgreSQL. */
export const layer: Layer.Layer<PreferenceStore, never, SqlClient> = Layer.effect(PreferenceStore, make)
