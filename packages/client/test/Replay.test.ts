import { assert, describe, it } from "@effect/vitest"
import type { Position } from "@beckon/domain/Position"
import { decode } from "../src/InboxEvent.ts"
import type { InboxEvent } from "../src/InboxEvent.ts"
import * as Replay from "../src/Replay.ts"
import { FakeInboxServer } from "./FakeInboxServer.ts"

const server = new FakeInboxServer()

const subscribed = (recovered: boolean, head: Position): InboxEvent => ({
  _tag: "Subscribed",
  recovered,
  head,
  unread: 0
})

const notification = (seq: number) => decode(server.frameOf(server.notification({ id: `n${seq}`, seq })))

const changed = (rev: number): InboxEvent => ({ _tag: "Changed", rev, unread: 0, changes: [] })

const caughtUp = (position: Position): InboxEvent => ({ _tag: "CaughtUp", position })

/** The positions after each event, and which events the consumer got. */
const run = (start: Position | undefined, ...events: ReadonlyArray<InboxEvent>) => {
  let state = Replay.initial(start)
  const positions: Array<Position | undefined> = []
  const delivered: Array<boolean> = []
  for (const event of events) {
    const [next, isNew] = Replay.step(state, event)
    state = next
    positions.push(next.position)
    delivered.push(isNew)
  }
  return { positions, delivered }
}

const at = (seq: number, rev?: number, epoch = "e1"): Position => ({
  epoch,
  seq,
  ...(rev === undefined ? {} : { rev })
})

describe("Replay", () => {
  it("has no position before CaughtUp when nothing was recovered", () => {
    const { positions } = run(undefined, subscribed(false, at(9, 2)), notification(7), changed(2), caughtUp(at(9, 2)))
    assert.deepStrictEqual(positions, [undefined, undefined, undefined, at(9, 2)])
  })

  it("moves with every notification and change when it was recovered", () => {
    const { positions } = run(at(5, 1), subscribed(true, at(7, 2)), notification(6), notification(7), changed(2))
    assert.deepStrictEqual(positions, [at(5, 1), at(6, 1), at(7, 1), at(7, 2)])
  })

  it("drops notifications that come again, in a recovered stream and in a replay that breaks before CaughtUp", () => {
    assert.deepStrictEqual(
      run(at(5), subscribed(true, at(6)), notification(5), notification(6), notification(6)).delivered,
      [true, false, true, false]
    )
    const replay = [subscribed(false, at(9)), notification(9), notification(4)]
    assert.deepStrictEqual(
      run(undefined, ...replay, ...replay, notification(5), caughtUp(at(9)), notification(9)).delivered,
      [true, true, true, true, false, false, true, true, false]
    )
  })

  it("takes the same seq as new in another epoch, and in a history that went back", () => {
    const other = run(at(5), subscribed(false, at(2, 0, "e2")), notification(1), caughtUp(at(2, 0, "e2")))
    assert.deepStrictEqual(other.delivered, [true, true, true])
    assert.deepStrictEqual(other.positions, [undefined, undefined, at(2, 0, "e2")])
    assert.deepStrictEqual(run(at(5), subscribed(false, at(2)), notification(1)).delivered, [true, true])
  })

  it("takes several changes of one rev while catching up, and none that is known already", () => {
    const { delivered } = run(
      at(5, 3),
      subscribed(true, at(5, 6)),
      changed(3),
      changed(6),
      changed(6),
      caughtUp(at(5, 6)),
      changed(6),
      changed(7)
    )
    assert.deepStrictEqual(delivered, [true, false, true, true, true, false, true])
  })

  it("keeps what it has when the old position cannot be recovered in the same epoch", () => {
    const { delivered, positions } = run(
      at(5),
      subscribed(false, at(9)),
      notification(4),
      notification(8),
      caughtUp(at(9))
    )
    assert.deepStrictEqual(delivered, [true, false, true, true])
    assert.deepStrictEqual(positions, [at(5), at(5), at(5), at(9)])
  })
})
