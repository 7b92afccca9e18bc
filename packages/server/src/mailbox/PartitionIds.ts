/**
 * The entity ids of the partitions, chosen so that each of them falls on a shard of its own: plain `p-0` to `p-63` fall on
 * a few shards only, and a node would get many partitions while another gets none.
 */
import { EntityId, ShardId } from "effect/cluster"
import type { Sharding } from "effect/cluster"
import { partitionCount } from "@beckon/domain/MailboxKey"

/** 64 ids; the same on every node, because they depend only on effect/cluster's hash and the number of shards. */
export const forSharding = (sharding: Sharding.Sharding["Service"]): ReadonlyArray<string> => {
  const taken = new Map<string, string>()
  for (let salt = 0; taken.size < partitionCount; salt++) {
    const id = `p-${salt}`
    const shard = ShardId.toString(sharding.getShardId(EntityId.make(id), "default"))
    if (!taken.has(shard)) taken.set(shard, id)
    if (salt > 1_000_000) break
  }
  return [...taken.values()]
}
