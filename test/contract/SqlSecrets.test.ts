/**
 * What only a database can get wrong: secrets in its tables, and halves of a change.
 */
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { expect, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { freshKey, freshTenant, friendshipId, noon, user } from "./Fixtures.ts"
import { layerPglite } from "./SqlStores.ts"

const token = "device-token-that-nobody-may-read"

layer(layerPglite, { timeout: "60 seconds" })("SQL stores", (it) => {
  it.effect("no column of devices holds a token in the clear, and the same token is never sealed the same", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const sql = yield* SqlClient
      const [ada, other] = [freshKey("ada"), freshKey("ada")]
      yield* store.register(ada, { platform: "ios", token })
      yield* store.register(other, { platform: "ios", token })
      const rows = yield* sql<{ row: string; sealed: Uint8Array; hash: Uint8Array }>`
        select devices::text as row, token_sealed as sealed, token_hash as hash from devices
        where tenant_id in (${ada.tenantId}, ${other.tenantId})`
      expect(rows).toHaveLength(2)
      const text = rows.map(({ row }) => row).join()
      for (const form of ["utf8", "hex", "base64"] as const) {
        expect(text).not.toContain(Buffer.from(token).toString(form))
      }
      for (const { hash, sealed } of rows) {
        expect(Buffer.from(sealed).includes(Buffer.from(token))).toBe(false)
        expect(hash).toHaveLength(32)
      }
      expect(rows[0]?.hash).not.toEqual(rows[1]?.hash)
      expect(rows[0]?.sealed).not.toEqual(rows[1]?.sealed)
    })
  )

  it.effect("a sealed token that is copied to another user does not open", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const sql = yield* SqlClient
      const ada = freshKey("ada")
      const eve = { ...ada, userId: user("eve") }
      yield* store.register(ada, { platform: "ios", token })
      yield* sql`update devices set user_id = ${eve.userId} where tenant_id = ${ada.tenantId}`
      expect(yield* Effect.flip(store.list(eve))).toMatchObject({
        operation: "DeviceStore.list",
        cause: { _tag: "TokenNotOpened" }
      })
    })
  )

  it.effect("a friendship whose event cannot be saved is not saved either, new or changed", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const outbox = yield* EventOutbox
      const friendship = {
        tenantId: freshTenant(),
        id: friendshipId(),
        requesterId: user("ada"),
        recipientId: user("bob"),
        status: "PENDING",
        createdAt: noon,
        respondedAt: null
      } as const
      const good = { topic: "topic", key: friendship.id, headers: {}, value: "good" }
      // PostgreSQL's text refuses NUL.
      const bad = { ...good, value: "\u0000" }
      expect(yield* Effect.flip(store.insert(friendship, [good, bad]))).toMatchObject({ _tag: "StoreUnavailable" })
      expect(yield* store.get(friendship.tenantId, friendship.id)).toEqual(Option.none())
      yield* store.insert(friendship, [good])
      expect(yield* Effect.flip(store.update({ ...friendship, status: "ACCEPTED" }, [bad]))).toMatchObject({
        _tag: "StoreUnavailable"
      })
      expect(yield* store.get(friendship.tenantId, friendship.id)).toEqual(Option.some(friendship))
      expect((yield* outbox.peek(10)).map(({ value }) => value)).toEqual(["good"])
    })
  )
})
