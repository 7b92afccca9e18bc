/**
 * Every call of the socket, tried with what is another tenant's or another user's; and topics, whose names tenants share.
 */
import { assert, expect, layer } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { InboxRpcs } from "@beckon/domain/InboxRpcs"
import { bareSocket, token } from "../road/Road.ts"
import type { BareSocket } from "../road/Road.ts"
import { none } from "./Calls.ts"
import { Deployment, differences, rowsOf } from "./Deployment.ts"
import { settled } from "./Furnished.ts"
import type { Furnished } from "./Furnished.ts"

interface Position {
  readonly epoch: string
  readonly seq: number
}

interface Attempt {
  readonly payload: unknown
  /** `Success`, or the status of the error; any when absent. */
  readonly ends?: ReadonlyArray<"Success" | number>
}

interface Their extends Furnished {
  readonly position: Position
  readonly cursor: string
}

const ids = ({ notification, scheduled }: Their) => [notification, scheduled]

const topicsOf = ({ batch, own, upload }: Their) => [
  `tracking:driver:${own}`,
  `presence:${own}`,
  `batch:${batch}`,
  `batch:${upload}`,
  "presence"
]

/** As a user without any other role. */
const calls: Readonly<Record<string, (their: Their) => ReadonlyArray<Attempt>>> = {
  // These two are answered by frames, or not at all; their ends are in the test.
  Subscribe: () => [],
  Acknowledge: () => [],
  MarkRead: (their) => [{ payload: { ids: ids(their) }, ends: ["Success"] }],
  MarkUnread: (their) => [{ payload: { ids: ids(their) }, ends: ["Success"] }],
  Delete: (their) => [{ payload: { ids: ids(their) }, ends: ["Success"] }],
  List: ({ cursor }) => [
    { payload: {}, ends: ["Success"] },
    { payload: { cursor }, ends: ["Success", 422] }
  ],
  UnreadCount: () => [{ payload: null, ends: ["Success"] }],
  RegisterDevice: ({ adas }) => [{ payload: { platform: "ios", token: `other-device-${adas}` }, ends: ["Success"] }],
  UnregisterDevice: ({ adas }) => [{ payload: { token: `device-${adas}` }, ends: [404] }],
  GetPreferences: () => [{ payload: null, ends: ["Success"] }],
  SetPreferences: () => [{ payload: { channels: {}, mutedTypes: ["of-a-stranger"] }, ends: ["Success"] }],
  RefreshToken: ({ tokens }) => [
    { payload: { token: tokens.ada }, ends: [403] },
    { payload: { token: tokens.admin }, ends: [403] }
  ],
  SendNotifications: ({ own }) => [
    { payload: { notifications: [{ userId: own, type: "stolen", title: "Of a stranger", message: "" }] }, ends: [403] }
  ],
  Watch: (their) => topicsOf(their).map((topic) => ({ payload: { topic }, ends: [403] })),
  Unwatch: (their) => topicsOf(their).map((topic) => ({ payload: { topic }, ends: ["Success"] })),
  Publish: (their) =>
    [...topicsOf(their), "app:shared"].map((topic) => ({
      payload: { topic, data: { latitude: 1, longitude: 2 } },
      ends: [403]
    }))
}

// oxlint-disable-next-line typescript/no-explicit-any -- the tests look into answers of any shape
const endOf = (exit: any): "Success" | number => (exit._tag === "Success" ? "Success" : exit.cause?.[0]?.error?.status)

const subscribe = (socket: BareSocket, payload: unknown = {}) =>
  socket.send({ _tag: "Request", id: "subscription", tag: "Subscribe", payload, headers: [] })

/** All frames up to the one that says that nothing is missing. */
const caughtUp = Effect.fnUntraced(function* (socket: BareSocket) {
  const messages: Array<string> = []
  while (true) {
    const message = yield* Queue.take(socket.messages)
    messages.push(JSON.stringify(message))
    const last = message.values?.find(({ _tag }: { readonly _tag: string }) => _tag === "CaughtUp")
    if (last !== undefined) return { text: messages.join("\n"), position: last.position as Position }
  }
})

const theirs = Effect.fnUntraced(function* (of: Furnished) {
  const { url } = yield* Deployment
  const socket = yield* bareSocket(url, of.tokens.ada)
  subscribe(socket)
  const { position, text } = yield* caughtUp(socket)
  const page = yield* socket.rpc("List", { limit: 1 })
  return { their: { ...of, position, cursor: String(page.value.nextCursor) } satisfies Their, text }
})

layer(Deployment.layer, { timeout: "240 seconds", excludeTestServices: true })("every call of the socket", (it) => {
  it.effect("is tried, and no other", () =>
    Effect.sync(() => expect(Object.keys(calls).toSorted()).toEqual([...InboxRpcs.requests.keys()].toSorted()))
  )

  it.effect("shows strangers nothing and changes nothing, of whatever tenant they are", () =>
    Effect.gen(function* () {
      const { alpha, beta, sql, url } = yield* Deployment
      const { text, their } = yield* theirs(alpha)
      // There is something to be seen.
      assert.include(text, alpha.adas)
      yield* settled(sql)
      const before = yield* rowsOf("alpha")
      const faults: Array<string> = []
      let count = 0
      const strangers = [
        ["beta's ada", beta.tokens.ada],
        ["alpha's bob", alpha.tokens.bob]
      ] as const
      for (const [name, credential] of strangers) {
        const socket = yield* bareSocket(url, credential)
        const seen: Array<string> = []
        for (const payload of [{ position: their.position }, { position: { ...their.position, seq: 0 } }]) {
          const other = yield* bareSocket(url, credential)
          subscribe(other, payload)
          const answered = yield* caughtUp(other)
          seen.push(answered.text)
          // The epoch of a stranger's inbox is not that of one's own.
          assert.notInclude(answered.text, '"recovered":true', name)
          other.send({
            _tag: "Request",
            id: "ack",
            tag: "Acknowledge",
            payload: { position: their.position },
            headers: []
          })
          count += 2
          seen.push(JSON.stringify(yield* other.rpc("UnreadCount")))
        }
        for (const [tag, attempts] of Object.entries(calls)) {
          for (const { ends, payload } of attempts(their)) {
            count++
            const exit = yield* socket.rpc(tag, payload)
            seen.push(JSON.stringify(exit))
            const end = endOf(exit)
            if (ends?.includes(end) === false)
              faults.push(`${name}: ${tag} ${JSON.stringify(payload)}: ${JSON.stringify(exit)}`)
          }
        }
        const hidden = name === "alpha's bob" ? [alpha.adas] : [alpha.adas, alpha.mark]
        faults.push(
          ...seen.filter((one) => hidden.some((mark) => one.includes(mark))).map((one) => `${name} saw ${one}`)
        )
      }
      yield* settled(sql)
      const changed = differences(before, yield* rowsOf("alpha"))
      faults.push(...changed.filter((row) => !row.includes('"user_id": "bob"')))
      yield* Effect.logInfo(`${count} calls of sockets`)
      yield* none(faults)
    })
  )

  it.effect("keeps topics of the same name apart, also from those who may watch and publish there", () =>
    Effect.gen(function* () {
      const { alpha, beta, url } = yield* Deployment
      const open = (credential: string) => bareSocket(url, credential)
      const names = ["app:shared", "presence", `batch:${alpha.open}`, "tracking:driver:ada", "presence:ada"]
      const sockets = []
      for (const of of [alpha, beta]) {
        const [watcher, shop, driver] = [
          yield* open(of.tokens.admin),
          yield* open(of.tokens.service),
          yield* open(of.tokens.ada)
        ]
        for (const topic of names) {
          const exit = yield* watcher.rpc("Watch", { topic })
          expect([topic, endOf(exit)]).toEqual([topic, "Success"])
          // Snapshots that are kept have names too.
          expect(JSON.stringify(exit)).not.toContain(of === alpha ? beta.mark : alpha.mark)
        }
        sockets.push({ of, watcher, shop, driver })
      }
      for (const [index, { driver, of, shop }] of sockets.entries()) {
        expect(endOf(yield* shop.rpc("Publish", { topic: "app:shared", data: of.mark }))).toBe("Success")
        const location = { latitude: 10 + index, longitude: 10 + index }
        expect(endOf(yield* driver.rpc("Publish", { topic: "tracking:driver:ada", data: location }))).toBe("Success")
      }
      yield* bareSocket(url, token({ sub: `visitor-${alpha.mark}`, tenant: "alpha" }))
      yield* bareSocket(url, token({ sub: `visitor-${beta.mark}`, tenant: "beta" }))
      for (const [index, { of, shop, watcher }] of sockets.entries()) {
        expect(endOf(yield* shop.rpc("Publish", { topic: "app:shared", data: "last" }))).toBe("Success")
        const seen: Array<string> = []
        const text = () => seen.join("\n")
        while (
          !text().includes('"last"') ||
          !text().includes("visitor") ||
          !text().includes(`"latitude":${10 + index}`)
        ) {
          seen.push(JSON.stringify(yield* Queue.take(watcher.messages)))
        }
        const other = of === alpha ? beta : alpha
        assert.include(text(), of.mark)
        assert.notInclude(text(), other.mark)
        assert.notInclude(text(), `"latitude":${11 - index}`)
        // What is kept for those who come later is one tenant's too.
        const { value } = yield* (yield* open(of.tokens.admin)).rpc("Watch", { topic: "tracking:driver:ada" })
        expect(value.snapshot.latitude).toBe(10 + index)
      }
    })
  )
})
