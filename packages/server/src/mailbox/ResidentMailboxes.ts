/**
 * Which mailboxes are awake on this node; for metrics and for operators.
 */
import { Context, Layer } from "effect"
import type { Mailbox } from "./Mailbox.ts"

export class ResidentMailboxes extends Context.Service<
  ResidentMailboxes,
  {
    readonly add: (partition: string, mailboxes: ReadonlyMap<string, Mailbox>) => void
    readonly remove: (partition: string) => void
    readonly count: () => number
  }
>()("@beckon/server/mailbox/ResidentMailboxes") {
  static readonly layer = Layer.sync(ResidentMailboxes, () => {
    const partitions = new Map<string, ReadonlyMap<string, Mailbox>>()
    return {
      add: (partition, mailboxes) => void partitions.set(partition, mailboxes),
      remove: (partition) => void partitions.delete(partition),
      count: () => {
        let count = 0
        for (const mailboxes of partitions.values()) count += mailboxes.size
        return count
      }
    }
  })
}
