import { maxDevices } from "@beckon/domain/Device"
import type { Platform } from "@beckon/domain/Device"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { DateTime, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TokenCipher } from "../security/TokenCipher.ts"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface DeviceRow {
  readonly platform: Platform
  readonly token_sealed: Uint8Array
  readonly key_id: string
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const cipher = yield* TokenCipher

  return DeviceStore.of({
    register: Effect.fn("DeviceStore.register")(function* (key, device) {
      const hash = yield* cipher.lookupHash(key.tenantId, device.token)
      const sealed = yield* cipher.seal(key, device.token)
      const now = yield* DateTime.now
      // One statement. The delete sees the user's devices without the one that is added, so one fewer may stay.
      yield* sql`
        with added as (
          insert into devices (tenant_id, user_id, platform, token_hash, token_sealed, key_id, registered_at)
          values (${key.tenantId}, ${key.userId}, ${device.platform}, ${hash}, ${sealed.bytes}, ${sealed.keyId}, ${timestamp(now)})
          on conflict (tenant_id, token_hash) do update
          set registration = excluded.registration, user_id = excluded.user_id, platform = excluded.platform,
            token_sealed = excluded.token_sealed, key_id = excluded.key_id, registered_at = excluded.registered_at
        )
        delete from devices where tenant_id = ${key.tenantId} and token_hash = any(array(
          select d.token_hash from devices d
          where d.tenant_id = ${key.tenantId} and d.user_id = ${key.userId} and d.token_hash <> ${hash}
          order by d.registration desc offset ${maxDevices - 1}
        ))`
    }, unavailable("DeviceStore.register")),

    unregister: Effect.fn("DeviceStore.unregister")(function* (key, token) {
      const hash = yield* cipher.lookupHash(key.tenantId, token)
      const rows = yield* sql`
        delete from devices
        where tenant_id = ${key.tenantId} and token_hash = ${hash} and user_id = ${key.userId} returning 1`
      return rows.length > 0
    }, unavailable("DeviceStore.unregister")),

    list: Effect.fn("DeviceStore.list")(function* (key) {
      const rows = yield* sql<DeviceRow>`
        select platform, token_sealed, key_id from devices
        where tenant_id = ${key.tenantId} and user_id = ${key.userId}
        order by registration desc limit ${maxDevices}`
      return yield* Effect.forEach(rows, (row) =>
        Effect.map(cipher.open(key, { keyId: row.key_id, bytes: row.token_sealed }), (token) => ({
          platform: row.platform,
          token
        }))
      )
    }, unavailable("DeviceStore.list"))
  })
})

/** Devices in PostgreSQL, their tokens sealed by `TokenCipher`. */
export const layer: Layer.Layer<DeviceStore, never, SqlClient | TokenCipher> = Layer.effect(DeviceStore, make)
