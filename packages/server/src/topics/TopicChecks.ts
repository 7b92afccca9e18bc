/**
 * Tells every node that those who watch a topic may have lost the right to.
 */
import { Context, Effect, Layer } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import * as ChangeNews from "../caches/ChangeNews.ts"

export interface Check {
  readonly tenantId: TenantId
  readonly topic: string
}

export class TopicChecks extends Context.Service<
  TopicChecks,
  {
    /** Every node asks again for the watchers of the topic; this one begins before it succeeds. */
    readonly ask: (tenantId: TenantId, topic: string) => Effect.Effect<void>
    /** What to do then; `undefined`: any right may have been lost. One handler. */
    readonly onAsked: (handler: (check: Check | undefined) => void) => void
  }
>()("@beckon/server/topics/TopicChecks") {
  static readonly layer = Layer.effect(
    TopicChecks,
    Effect.gen(function* () {
      let asked: (check: Check | undefined) => void = () => {}
      const news = yield* ChangeNews.make("topic-checks", {
        changed: (tenantId, topic) => asked({ tenantId, topic }),
        missed: () => asked(undefined)
      })
      return {
        ask: (tenantId, topic) =>
          Effect.suspend(() => {
            asked({ tenantId, topic })
            return news.tell(tenantId, topic)
          }),
        onAsked: (handler) => void (asked = handler)
      }
    })
  )
}
