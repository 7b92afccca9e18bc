/**
 * Takes a lost member out of its group.
 *
 * **Details**
 *
 * When no broker answers, a consumer of kafkajs gives up and forgets the id by which its group knows it. Its successor joins as someone
 * else, and the group waits until the session of the lost one ends before it shares out the partitions again. So the successor
 * says goodbye for it. kafkajs shows its connections to the assigners of partitions only; hence the detour.
 */
import { PartitionAssigners } from "kafkajs"
import type { Cluster, PartitionAssigner } from "kafkajs"

export interface Membership {
  /** As the group knows the last member; none when it left, or never joined. */
  memberId: string | undefined
}

const isUnknownMember = (cause: unknown): boolean =>
  cause instanceof Error && "type" in cause && cause.type === "UNKNOWN_MEMBER_ID"

/** The assigner is a consumer's; `leaveAsLast` works when that consumer is connected. */
export const makeMembership = (groupId: string, membership: Membership) => {
  let cluster: Cluster | undefined
  const assigner: PartitionAssigner = (config) => {
    cluster = config.cluster
    return PartitionAssigners.roundRobin(config)
  }
  const leaveAsLast = async (): Promise<void> => {
    const { memberId } = membership
    if (cluster === undefined || memberId === undefined) return
    const coordinator = await cluster.findGroupCoordinator({ groupId })
    // Its types leave it out. Without it the group waits for the end of the session.
    if ("leaveGroup" in coordinator && typeof coordinator.leaveGroup === "function") {
      try {
        await coordinator.leaveGroup({ groupId, memberId })
      } catch (cause) {
        if (!isUnknownMember(cause)) throw cause
      }
    }
    membership.memberId = undefined
  }
  return { assigner, leaveAsLast }
}
