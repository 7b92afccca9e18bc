/**
 * Callbacks show no credential, but a signature: that of one tenant's account moves nothing of another tenant.
 */
import { assert, expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call } from "../road/Road.ts"
import { Deployment, differences, publicUrl, rowsOf } from "./Deployment.ts"
import { settled } from "./Furnished.ts"
import type { Furnished } from "./Furnished.ts"
import { signedByTwilio } from "./Signed.ts"

const delivered = (sid: string) => ({ MessageSid: sid, MessageStatus: "delivered" })

layer(Deployment.layer, { timeout: "240 seconds", excludeTestServices: true })("a callback", (it) => {
  it.effect("that one tenant's account has signed moves that tenant's deliveries only", () =>
    Effect.gen(function* () {
      const { alpha, beta, sql, url } = yield* Deployment
      yield* settled(sql)
      const before = yield* rowsOf("beta")
      const sidOf = Effect.fnUntraced(function* ({ sent }: Furnished) {
        const [row] = yield* sql<{
          readonly sid: string
        }>`select provider_message_id as sid from deliveries where id = ${sent}`
        return row?.sid ?? ""
      })
      const [sid, other] = [yield* sidOf(alpha), yield* sidOf(beta)]
      // The provider gives both tenants' messages the same id.
      expect([sid, other]).toEqual(["SM1", "SM1"])
      const stateOf = ({ sent, tokens }: Furnished) =>
        Effect.map(call(url, `/api/v1/deliveries/${sent}`, { token: tokens.admin }), ({ body }) => body.data.state)
      const say = (...args: Parameters<typeof signedByTwilio>) => {
        const { options, path } = signedByTwilio(...args)
        return Effect.map(call(url, path, options), ({ status }) => status)
      }
      expect(yield* say(publicUrl, alpha, delivered(other), { to: beta, delivery: beta.sent })).toBe(401)
      expect(yield* say(publicUrl, alpha, delivered("SM2"), { delivery: beta.sent })).toBe(200)
      expect(yield* say(publicUrl, alpha, delivered("SM3"), { delivery: beta.dead })).toBe(200)
      expect(yield* stateOf(beta)).toBe("sent")
      expect(yield* say(publicUrl, alpha, delivered(sid), { delivery: alpha.sent })).toBe(200)
      expect(yield* stateOf(alpha)).toBe("delivered")
      yield* settled(sql)
      assert.deepStrictEqual(differences(before, yield* rowsOf("beta")), [])
    })
  )
})
