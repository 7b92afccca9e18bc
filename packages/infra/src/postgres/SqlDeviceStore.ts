import { maxDevices } from "@beckon/domain/Device"
import type { Platform } from "@beckon/domain/Device"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { KnownDevice } from "@beckon/domain/ports/DeviceStore"
import { DateTime, Effect, Layer } from "effect"
import { Hex } from "effect/encoding"
import { SqlClient } from "effect/sql/SqlClient"
import { TokenCipher } from "../security/TokenCipher.ts"
import { KeyRing } from "../security/KeyRing.ts"
import * as SqlDeviceHashes from "./SqlDeviceHashes.ts"
import * as LoggedOnce from "./LoggedOnce.ts"
import { texts, timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface DeviceRow {
  readonly platform: Platform
  readonly token_hash: Uint8Array
  readonly token_sealed: Uint8Array
  readonly key_id: string
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const cipher = yield* TokenCipher
  const ring = yield* KeyRing
  const hashOf = yield* SqlDeviceHashes.make
  const once = LoggedOnce.make()

  /** One device, or none when its token does not open: that costs the user's other devices nothing. */
  const known = Effect.fnUntraced(function* (key: MailboxKey, row: DeviceRow) {
    return yield* cipher.open(key, { keyId: row.key_id, bytes: row.token_sealed }).pipe(
      Effect.map((token): ReadonlyArray<KnownDevice> => [
        { platform: row.platform, token, hash: Hex.encode(row.token_hash) }
      ]),
      Effect.catchTag("TokenNotOpened", (error) =>
        Effect.as(
          once(error.message, "Device tokens are left out", { reason: error.message, tenantId: key.tenantId }),
          []
        )
      )
    )
  })

  const missingKeyOf = (rows: ReadonlyArray<DeviceRow>): string | undefined =>
    rows.find(({ key_id }) => !ring.ids.includes(key_id))?.key_id

  return DeviceStore.of({
    register: Effect.fn("DeviceStore.register")(function* (key, device) {
      const hash = yield* hashOf(key.tenantId, device.token)
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
      const hash = yield* hashOf(key.tenantId, token)
      const rows = yield* sql`
        delete from devices
        where tenant_id = ${key.tenantId} and token_hash = ${hash} and user_id = ${key.userId} returning 1`
      return rows.length > 0
    }, unavailable("DeviceStore.unregister")),

    removeDead: Effect.fn("DeviceStore.removeDead")(function* (tenantId, tokens) {
      if (tokens.length === 0) return 0
      const hashes = yield* Effect.forEach(tokens, (token) => hashOf(tenantId, token))
      const rows = yield* sql`
        delete from devices where tenant_id = ${tenantId} and token_hash = any(array(
          select decode(k.hash, 'hex') from unnest(${texts(hashes.map(Hex.encode))}::text[]) as k(hash)
        )) returning 1`
      return rows.length
    }, unavailable("DeviceStore.removeDead")),

    listAll: Effect.fn("DeviceStore.listAll")(function* (keys) {
      if (keys.length === 0) return []
      const rows = yield* sql<DeviceRow & { readonly ordinal: bigint }>`
        select k.ordinal, d.platform, d.token_hash, d.token_sealed, d.key_id
        from unnest(
          ${texts(keys.map((key) => key.tenantId))}::text[], ${texts(keys.map((key) => key.userId))}::text[]
        ) with ordinality as k(tenant_id, user_id, ordinal)
        cross join lateral (
          select * from devices d where d.tenant_id = k.tenant_id and d.user_id = k.user_id
          order by d.registration desc limit ${maxDevices}
        ) d
        order by k.ordinal, d.registration desc`
      const rowsOf = Map.groupBy(rows, ({ ordinal }) => Number(ordinal) - 1)
      return yield* Effect.forEach(keys, (key, index) =>
        Effect.map(
          Effect.forEach(rowsOf.get(index) ?? [], (row) => known(key, row)),
          (devices) => ({ key, devices: devices.flat(), missingKey: missingKeyOf(rowsOf.get(index) ?? []) })
        )
      )
    }, unavailable("DeviceStore.listAll")),

    list: Effect.fn("DeviceStore.list")(function* (key) {
      const rows = yield* sql<DeviceRow>`
        select platform, token_hash, token_sealed, key_id from devices
        where tenant_id = ${key.tenantId} and user_id = ${key.userId}
        order by registration desc limit ${maxDevices}`
      const devices = yield* Effect.forEach(rows, (row) => known(key, row))
      return devices.flat().map(({ platform, token }) => ({ platform, token }))
    }, unavailable("DeviceStore.list"))
  })
})

/** Devices in PostgreSQL, their tokens sealed by `TokenCipher`. */
export const layer: Layer.Layer<DeviceStore, never, SqlClient | TokenCipher | KeyRing> = Layer.effect(DeviceStore, make)
