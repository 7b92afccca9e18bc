/**
 * The names of a batch's notifications: each follows from the batch and the row's place in it, so that whoever sends the row
 * again after a crash sends the same notification.
 */
import { createHash } from "node:crypto"
import { dedupeKeyOf } from "@beckon/domain/Batch"
import type { Batch, BatchRow } from "@beckon/domain/Batch"
import { NotificationId } from "@beckon/domain/Identifiers"

type Named = Pick<Batch, "id" | "tenantId" | "createdAt">

/** A UUIDv7 (RFC 9562 section 5.7) with the time of the batch; its random bits are a digest of the row's place. */
export const notificationIdOf = ({ createdAt, id, tenantId }: Named, row: number): NotificationId => {
  const digest = createHash("sha256").update(`${tenantId}\u0000${id}\u0000${row}`).digest()
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(createdAt.epochMilliseconds, 0, 6)
  digest.copy(bytes, 6, 0, 10)
  bytes[6] = 0x70 | ((digest[0] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((digest[2] ?? 0) & 0x3f)
  const hex = bytes.toString("hex")
  return NotificationId.make(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  )
}

/** The recipient's own, which other ways of sending share; else that of the row's place. */
export const rowKeyOf = ({ id }: Pick<Batch, "id">, { requestId, row }: BatchRow): string =>
  requestId === undefined ? dedupeKeyOf(id, row) : `request:${requestId}`
