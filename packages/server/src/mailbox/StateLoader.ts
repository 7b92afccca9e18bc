/**
 * Reads the states of many mailboxes in one query.
 */
import { Context, Effect, Exit, Layer } from "effect"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { MailboxState } from "@beckon/domain/MailboxState"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import * as Batcher from "./Batcher.ts"
import { MailboxSettings } from "./MailboxSettings.ts"

export class StateLoader extends Context.Service<
  StateLoader,
  Batcher.Batcher<MailboxKey, MailboxState, StoreUnavailable>
>()("@beckon/server/mailbox/StateLoader") {
  static readonly layer = Layer.effect(
    StateLoader,
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const settings = yield* MailboxSettings
      return yield* Batcher.make<MailboxKey, MailboxState, StoreUnavailable>({
        maxWeight: settings.commitRows,
        weigh: () => 1,
        concurrency: settings.commitConcurrency,
        step: (keys) =>
          Effect.match(store.load(keys), {
            onFailure: (error) => keys.map(() => Exit.fail(error)),
            onSuccess: (states) => states.map((state) => Exit.succeed(state))
          })
      })
    })
  )
}
