/**
 * Pushes as lines of the log: what a server without an account at a push service does, so that a newcomer sees them.
 *
 * **Gotchas**
 *
 * The lines carry what the user would read, and never his token.
 */
import { Effect } from "effect"
import type { ChannelProvider, Outgoing } from "@beckon/domain/ports/ChannelProvider"

const line = ({ deliveryId, message, tenantId }: Outgoing<"push">) =>
  Effect.logInfo(`push: ${message.title} — ${message.body}`).pipe(
    Effect.annotateLogs({
      tenantId,
      deliveryId,
      to: message.to._tag === "Topic" ? `topic ${message.to.topic}` : message.to.platform
    })
  )

export const make = (): ChannelProvider<"push"> => ({
  id: "log",
  channel: "push",
  maxBatch: 500,
  concurrency: 4,
  rate: undefined,
  accepts: () => true,
  send: Effect.fn("LogProvider.send")((batch: ReadonlyArray<Outgoing<"push">>) =>
    Effect.forEach(batch, (outgoing) => Effect.as(line(outgoing), { _tag: "Sent" as const, providerMessageId: null }))
  )
})
