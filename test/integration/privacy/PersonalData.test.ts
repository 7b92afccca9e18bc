import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Stream } from "effect"
import { InboxClient } from "@beckon/client/InboxClient"
import type { InboxEvent } from "@beckon/client/InboxClient"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { call, jwtSecret, service, token } from "../road/Road.ts"

const send = (url: string, body: Readonly<Record<string, string>>) =>
  call(url, "/api/v1/services/notifications/send", { token: service, body })

const admin = token({ sub: "root", roles: ["admin"] })
const personal = (user: string) => `/api/v1/admin/users/${user}/personal-data`

interface Line {
  readonly part: string
  readonly row: Readonly<Record<string, unknown>>
}

const linesOf = (ndjson: string): ReadonlyArray<Line> =>
  ndjson
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Line => JSON.parse(line))

describe("all that is kept of a user", () => {
  it.live(
    "can be had, and be got rid of, while he is connected",
    () =>
      Effect.gen(function* () {
        const { url } = yield* BeckonProcess.start({ env: { BECKON_JWT_SECRET: jwtSecret } })
        const ada = token({ sub: "ada", name: "Ada Lovelace" })
        const client = yield* InboxClient.make({ url, token: ada })
        const events = yield* Queue.unbounded<InboxEvent>()
        yield* Effect.forkScoped(Stream.runForEach(client.frames, (event) => Queue.offer(events, event)))
        const until = Effect.fnUntraced(function* (tag: InboxEvent["_tag"]) {
          while (true) {
            const event = yield* Queue.take(events)
            if (event._tag === tag) return event
          }
        })
        yield* until("CaughtUp")
        yield* client.registerDevice({ platform: "ios", token: "a-token-that-is-secret" })
        yield* send(url, { user_id: "ada", type: "t", title: "For Ada", message: "only" })
        yield* send(url, { user_id: "bob", type: "t", title: "For Bob", message: "only" })
        yield* until("Notification")

        const listed = yield* call(url, "/api/v1/admin/notifications?limit=1", { token: admin })
        assert.strictEqual(listed.body.data[0].user_id, "bob")
        const next = yield* call(url, `/api/v1/admin/notifications?limit=1&cursor=${listed.body.meta.next_cursor}`, {
          token: admin
        })
        assert.strictEqual(next.body.data[0].title, "For Ada")
        assert.isNull(next.body.meta.next_cursor)

        const exported = yield* call(url, personal("ada"), { token: admin })
        assert.strictEqual(exported.status, 200)
        assert.match(exported.type, /ndjson/)
        const text = typeof exported.body === "string" ? exported.body : JSON.stringify(exported.body)
        const parts = new Set(linesOf(text).map(({ part }) => part))
        assert.includeMembers([...parts], ["users", "devices", "mailboxes", "notifications"])
        assert.notInclude(text, "a-token-that-is-secret")
        assert.notInclude(text, "For Bob")
        for (const [status, other] of [
          [403, token({ sub: "shop", roles: ["service"] })],
          [403, ada],
          [401, undefined]
        ] as const) {
          for (const method of ["GET", "DELETE"]) {
            const refused = yield* call(url, personal("ada"), {
              method,
              ...(other === undefined ? {} : { token: other })
            })
            assert.strictEqual(refused.status, status)
          }
        }

        const erased = yield* call(url, personal("ada"), { token: admin, method: "DELETE" })
        assert.deepInclude(erased.body.data.erased, { notifications: 1, devices: 1 })
        const again = yield* until("Subscribed")
        assert.propertyVal(again, "recovered", false)
        const rest = yield* call(url, personal("ada"), { token: admin })
        assert.deepStrictEqual(
          linesOf(String(rest.body)).filter(({ part }) => part !== "mailboxes" && part !== "users"),
          []
        )
        assert.strictEqual((yield* call(url, "/api/v1/users/me/notifications", { token: ada })).body.data.length, 0)
        const ofBob = yield* call(url, personal("bob"), { token: admin })
        assert.include(String(ofBob.body), "For Bob")

        const log = yield* call(url, "/api/v1/admin/audit?action=personal_data.erase", { token: admin })
        assert.strictEqual(log.body.data[0].target, "user/ada")
        assert.strictEqual(log.body.data[0].actor.id, "root")
        yield* send(url, { user_id: "ada", type: "t", title: "Again", message: "" })
        assert.nestedPropertyVal(yield* until("Notification"), "notification.seq", 1)
      }),
    120_000
  )
})
