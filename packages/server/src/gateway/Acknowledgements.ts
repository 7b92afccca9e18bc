/**
 * Gathers what clients acknowledge, the newest position of each user, and tells the partitions in batches.
 */
import { Cause, Effect, Latch } from "effect"
import * as MailboxKey from "@beckon/domain/MailboxKey"
import type { Position } from "@beckon/domain/Position"
import type { Mailboxes } from "../mailbox/Mailboxes.ts"

const batchEvery = "20 millis"

export interface Acknowledgements {
  readonly add: (key: MailboxKey.MailboxKey, position: Position) => void
}

/** Tells until the scope closes. What does not arrive is acknowledged again by a client that comes back. */
export const make = Effect.fnUntraced(function* (mailboxes: Mailboxes["Service"]) {
  const waiting = new Map<string, { readonly key: MailboxKey.MailboxKey; readonly position: Position }>()
  const any = yield* Latch.make(false)

  const tell = Effect.gen(function* () {
    yield* any.await
    yield* Effect.sleep(batchEvery)
    yield* any.close
    const positions = [...waiting.values()]
    waiting.clear()
    yield* Effect.catchCause(mailboxes.acknowledge(positions), (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logWarning("Acknowledgements did not reach their partitions", cause)
    )
  })
  yield* Effect.forkScoped(Effect.forever(tell))

  const acknowledgements: Acknowledgements = {
    add: (key, position) => {
      const name = MailboxKey.toString(key)
      const known = waiting.get(name)
      if (known !== undefined && known.position.epoch === position.epoch && known.position.seq >= position.seq) return
      waiting.set(name, { key, position })
      any.openUnsafe()
    }
  }
  return acknowledgements
})
