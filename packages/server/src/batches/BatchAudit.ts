/**
 * What the audit log says of batches: who began one, and who stopped it or let it go on. Never whom it goes to, nor its words.
 */
import type { Batch } from "@beckon/domain/Batch"
import type { BatchChange } from "@beckon/domain/ports/BatchStore"
import type { Deed } from "../audit/Audit.ts"

const targetOf = ({ id }: Batch): string => `batch/${id}`

export const created = (batch: Batch): Deed => ({
  action: "batch.create",
  target: targetOf(batch),
  after: { kind: batch.kind, name: batch.name, type: batch.content.notificationType }
})

export const changed = (change: BatchChange, batch: Batch): Deed => ({
  action: `batch.${change}`,
  target: targetOf(batch),
  after: { state: batch.state }
})
