/**
 * Names one mailbox: one user of one tenant, and the partition that hosts it.
 */
import { Schema } from "effect"
import { TenantId, UserId } from "./Identifiers.ts"

export const MailboxKey = Schema.Struct({ tenantId: TenantId, userId: UserId })
export type MailboxKey = typeof MailboxKey.Type

/** The number of partitions of a deployment. Fixed: another number moves users between partitions. */
export const partitionCount = 64

/** A key for maps. NUL cannot occur in an id, so two keys never meet. */
export const toString = (key: MailboxKey): string => `${key.tenantId}\u0000${key.userId}`

/**
 * The partition of a mailbox, 0 to 63: FNV-1a (32 bits) over the UTF-16 code units of `toString`, with a final avalanche
 * (murmur3's fmix32), because FNV's low bits are poor for short keys.
 */
export const partitionOf = (key: MailboxKey): number => {
  const text = toString(key)
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % partitionCount
}
