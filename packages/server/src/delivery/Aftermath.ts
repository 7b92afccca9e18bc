/**
 * What a send teaches beyond its own fate: tokens that are dead, endpoints that fail for days.
 */
import { Context, DateTime, Effect, Layer } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { Claimed } from "@beckon/domain/ports/DeliveryStore"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import type { Part } from "./Composer.ts"
import { DeliverySettings } from "./DeliverySettings.ts"
import type { Sent } from "./Sending.ts"

export class Aftermath extends Context.Service<
  Aftermath,
  {
    readonly of: (claimed: Claimed, parts: ReadonlyArray<Part>, sent: ReadonlyArray<Sent>) => Effect.Effect<void>
  }
>()("@beckon/server/delivery/Aftermath") {
  static readonly layer = Layer.effect(
    Aftermath,
    Effect.gen(function* () {
      const devices = yield* DeviceStore
      const endpoints = yield* WebhookEndpointStore
      const settings = yield* DeliverySettings

      const forget = (tenantId: TenantId, tokens: ReadonlyArray<string>) =>
        Effect.flatMap(devices.removeDead(tenantId, tokens), (removed) =>
          removed === 0 ? Effect.void : Effect.logInfo(`Removed ${removed} dead device tokens of tenant ${tenantId}`)
        )

      const note = Effect.fnUntraced(function* (tenantId: TenantId, endpointId: string, outcome: Sent | undefined) {
        const last = outcome?.tries.at(-1)?.outcome
        if (last === undefined) return
        const now = yield* DateTime.now
        if (last._tag === "Failed" && last.code === "gone") {
          yield* endpoints.update(tenantId, endpointId, { enabled: false, disabledReason: "gone" })
          return yield* Effect.logWarning(
            `The webhook endpoint ${endpointId} of tenant ${tenantId} says that it is gone; it is switched off`
          )
        }
        const before = DateTime.subtractDuration(now, settings.disableEndpointAfter)
        if (yield* endpoints.noteOutcome(tenantId, endpointId, last._tag === "Sent", now, before)) {
          yield* Effect.logError(
            `ALARM: the webhook endpoint ${endpointId} of tenant ${tenantId} has failed for days and is switched off`
          )
        }
      })

      return {
        of: (claimed, parts, sent) => {
          const { target, tenantId } = claimed.delivery
          const dead = parts.flatMap(({ device }, index) => {
            const isDead = sent[index]?.tries.some(
              ({ outcome }) => outcome._tag === "Failed" && outcome.class === "unreachable"
            )
            return device !== undefined && isDead === true ? [device.token] : []
          })
          const learned =
            target._tag === "Endpoint"
              ? note(tenantId, target.endpointId, sent[0])
              : dead.length === 0
                ? Effect.void
                : forget(tenantId, dead)
          return Effect.catch(learned, (error) =>
            Effect.logWarning("What a delivery taught was not saved; the next one teaches it again", error)
          )
        }
      }
    })
  )
}
