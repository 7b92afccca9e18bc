import { GatewayId, SessionId, TenantId, UserId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { Presence } from "@beckon/domain/ports/Presence"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect } from "effect"

let made = 0
const fresh = () => `${++made}`
const freshUser = (tenant = "acme"): MailboxKey => ({
  tenantId: TenantId.make(tenant),
  userId: UserId.make(`user-${fresh()}`)
})
const freshSession = () => SessionId.make(`session-${fresh()}`)
const freshGateway = Effect.gen(function* () {
  const gatewayId = GatewayId.make(`gateway-${fresh()}`)
  expect(yield* (yield* Presence).heartbeat(gatewayId)).toBe(false)
  return gatewayId
})

/** `untilGone` lets time pass, and runs the effect meanwhile, until it answers true: longer than the time to live. */
export const presenceContract = (
  it: Vitest.MethodsNonLive<Presence>,
  untilGone: <E>(gone: Effect.Effect<boolean, E, Presence>) => Effect.Effect<void, E, Presence>
) => {
  it.effect("a user is online with every device, and offline when the last has left", () =>
    Effect.gen(function* () {
      const presence = yield* Presence
      const [user, other] = [freshUser(), freshUser()]
      const [here, there] = [yield* freshGateway, yield* freshGateway]
      const [phone, laptop] = [freshSession(), freshSession()]
      expect(yield* presence.sessionsOf(user)).toEqual([])
      yield* presence.online(user, there, laptop, 2_000)
      yield* presence.online(user, here, phone, 1_000)
      expect(yield* presence.sessionsOf(user)).toEqual([
        { gatewayId: here, sessionId: phone, at: 1_000 },
        { gatewayId: there, sessionId: laptop, at: 2_000 }
      ])
      expect(yield* presence.isOnline([other, user])).toEqual([false, true])
      yield* presence.offline(user, there, laptop)
      expect(yield* presence.isOnline([user, other])).toEqual([true, false])
      yield* presence.offline(user, here, phone)
      expect(yield* presence.isOnline([user])).toEqual([false])
      expect(yield* presence.isOnline([])).toEqual([])
    })
  )

  it.effect("the same user of another tenant is someone else, whatever the names", () =>
    Effect.gen(function* () {
      const presence = yield* Presence
      const gateway = yield* freshGateway
      const user = { tenantId: TenantId.make("a:{b}"), userId: UserId.make("c:{d}") }
      yield* presence.online(user, gateway, freshSession(), 1)
      expect(
        yield* presence.isOnline([
          user,
          { tenantId: TenantId.make("a"), userId: UserId.make("{b}:c:{d}") },
          { tenantId: TenantId.make("a:{b}:c"), userId: UserId.make("{d}") }
        ])
      ).toEqual([true, false, false])
    })
  )

  it.effect("putting a session online or offline twice is as once", () =>
    Effect.gen(function* () {
      const presence = yield* Presence
      const gateway = yield* freshGateway
      const [user, session] = [freshUser(), freshSession()]
      yield* presence.online(user, gateway, session, 1)
      yield* presence.online(user, gateway, session, 1)
      expect(yield* presence.sessionsOf(user)).toHaveLength(1)
      yield* presence.offline(user, gateway, session)
      yield* presence.offline(user, gateway, session)
      expect(yield* presence.sessionsOf(user)).toEqual([])
    })
  )

  it.effect("a gateway that leaves takes all its sessions with it at once, and no others", () =>
    Effect.gen(function* () {
      const presence = yield* Presence
      const [leaving, staying] = [yield* freshGateway, yield* freshGateway]
      const [one, both] = [freshUser(), freshUser()]
      yield* presence.online(one, leaving, freshSession(), 1)
      yield* presence.online(both, leaving, freshSession(), 2)
      yield* presence.online(both, staying, freshSession(), 3)
      yield* presence.leave(leaving)
      expect(yield* presence.isOnline([one, both])).toEqual([false, true])
      expect(yield* presence.sessionsOf(both)).toHaveLength(1)
      // What it left is gone, not hidden: if it comes again, it begins with nothing.
      expect(yield* presence.heartbeat(leaving)).toBe(false)
      expect(yield* presence.sessionsOf(one)).toEqual([])
    })
  )

  it.effect(
    "the sessions of a gateway that falls silent are gone after the time to live; those of the others stay",
    () =>
      Effect.gen(function* () {
        const presence = yield* Presence
        const [silent, alive] = [yield* freshGateway, yield* freshGateway]
        const [lost, kept] = [freshUser(), freshUser()]
        yield* presence.online(lost, silent, freshSession(), 1)
        yield* presence.online(kept, alive, freshSession(), 2)
        yield* untilGone(
          Effect.gen(function* () {
            expect(yield* presence.heartbeat(alive)).toBe(true)
            const [lostIsOnline, keptIsOnline] = yield* presence.isOnline([lost, kept])
            expect(keptIsOnline).toBe(true)
            return lostIsOnline === false
          })
        )
        expect(yield* presence.sessionsOf(lost)).toEqual([])
        // It was frozen, not dead: its sessions are there again with its next heartbeat.
        expect(yield* presence.heartbeat(silent)).toBe(true)
        expect(yield* presence.isOnline([lost])).toEqual([true])
      })
  )

  it.effect("a session counts from its gateway's first heartbeat on", () =>
    Effect.gen(function* () {
      const presence = yield* Presence
      const gateway = GatewayId.make(`gateway-${fresh()}`)
      const user = freshUser()
      yield* presence.online(user, gateway, freshSession(), 1)
      expect(yield* presence.isOnline([user])).toEqual([false])
      yield* presence.heartbeat(gateway)
      expect(yield* presence.isOnline([user])).toEqual([true])
    })
  )
}
