import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as CloseReason from "@beckon/domain/CloseReason"
import * as InboxFrame from "@beckon/domain/InboxFrame"
import { defaults } from "../../src/gateway/GatewaySettings.ts"
import * as Session from "../../src/gateway/Session.ts"
import type { OutFrame } from "../../src/mailbox/FrameOutlet.ts"
import { makeSession } from "./FakeSocket.ts"
import { notification } from "./Frames.ts"

const settings = { ...defaults, maxBufferedBytes: 10_000 }

const changed = (rev: number): OutFrame => ({
  json: InboxFrame.encode({ _tag: "Changed", rev, unread: 0, changes: [] }),
  rev
})

const seqsOf = (frames: ReadonlyArray<InboxFrame.InboxFrame>) =>
  frames.flatMap((frame) =>
    frame._tag === "Notification" ? [frame.notification.seq] : frame._tag === "Changed" ? [-frame.rev] : []
  )

const subscribed = (seq: number | undefined = 0) => {
  const { session, socket } = makeSession()
  const subscription = Session.makeSubscription("7", seq === undefined ? undefined : { epoch: "e", seq, rev: 0 })
  session.subscription = subscription
  return { session, socket, subscription }
}

describe("Session.writeLive", () => {
  it("writes chunks of the protocol, of at most 64 frames, in order", () => {
    const { session, socket, subscription } = subscribed()
    Session.goLive(session, subscription, settings)
    const frames = Array.from({ length: 150 }, (_, index) => notification(index + 1))
    Session.writeLive(session, frames, { ...settings, maxBufferedBytes: 1e6 })
    assert.deepStrictEqual(
      seqsOf(socket.frames),
      frames.map(({ seq }) => seq)
    )
    assert.strictEqual(socket.texts.length, 3)
    assert.isTrue(socket.texts[0]?.startsWith('{"_tag":"Chunk","requestId":"7","values":[{'))
    assert.deepStrictEqual(subscription.position, { epoch: "e", seq: 150, rev: 0 })
  })

  it("moves a client's position over numbers that it is not told of, without a word", () => {
    const { session, socket, subscription } = subscribed()
    Session.goLive(session, subscription, settings)
    assert.isTrue(Session.writeLive(session, [{ json: "", seq: 1 }], settings))
    assert.deepStrictEqual(socket.texts, [])
    const frames = [{ json: "", seq: 2 }, notification(3), { json: "", seq: 4 }, notification(5)]
    assert.isTrue(Session.writeLive(session, frames, settings))
    assert.deepStrictEqual(seqsOf(socket.frames), [3, 5])
    assert.deepStrictEqual(subscription.position, { epoch: "e", seq: 5, rev: 0 })
  })

  it("holds back what happens while the past is written, and writes nothing twice", () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), fc.nat(20), (past, before, count) => {
        const { session, socket, subscription } = subscribed()
        const first = Math.max(1, past + 1 - before)
        const seqs = Array.from({ length: count }, (_, index) => first + index)
        for (const seq of seqs) assert.isTrue(Session.writeLive(session, [notification(seq)], settings))
        assert.deepStrictEqual(socket.texts, [])
        Session.writeNow(
          session,
          subscription,
          Array.from({ length: past }, (_, index) => notification(index + 1)),
          settings
        )
        assert.isTrue(Session.goLive(session, subscription, settings))
        const written = seqsOf(socket.frames)
        assert.deepStrictEqual(written, [...new Set(written)])
        assert.deepStrictEqual(
          new Set(written),
          new Set([...Array.from({ length: past }, (_, index) => index + 1), ...seqs])
        )
        assert.deepStrictEqual(
          written,
          written.toSorted((one, other) => one - other)
        )
      })
    )
  })

  it("writes nothing past a gap, and says so", () => {
    const { session, socket, subscription } = subscribed(5)
    Session.goLive(session, subscription, settings)
    assert.isFalse(Session.writeLive(session, [notification(7), notification(8)], settings))
    assert.isTrue(Session.writeLive(session, [notification(6), notification(7)], settings))
    assert.deepStrictEqual(seqsOf(socket.frames), [6, 7])
  })

  it("keeps changes of state in their place among notifications", () => {
    const { session, socket, subscription } = subscribed(5)
    for (const frame of [notification(4), changed(1), notification(6), changed(2), notification(5), notification(7)]) {
      Session.writeLive(session, [frame], settings)
    }
    Session.goLive(session, subscription, settings)
    assert.deepStrictEqual(seqsOf(socket.frames), [-1, 6, -2, 7])
    assert.deepStrictEqual(subscription.position, { epoch: "e", seq: 7, rev: 2 })
  })

  it("writes to nobody who has not subscribed or has gone", () => {
    const { session, socket } = makeSession()
    Session.writeLive(session, [notification(1)], settings)
    const gone = subscribed()
    Session.goLive(gone.session, gone.subscription, settings)
    gone.session.socket = undefined
    Session.writeLive(gone.session, [notification(1)], settings)
    assert.deepStrictEqual([...socket.texts, ...gone.socket.texts], [])
  })
})

describe("a slow client", () => {
  it("is sent away when more waits than it may, and costs no more memory", () => {
    const { session, socket, subscription } = subscribed()
    socket.isFast = false
    Session.goLive(session, subscription, settings)
    let most = 0
    for (let seq = 1; seq <= 200; seq++) {
      Session.writeLive(session, [notification(seq, "x".repeat(500))], settings)
      most = Math.max(most, socket.bufferedAmount())
    }
    assert.deepStrictEqual(socket.closedWith, CloseReason.slowConsumer)
    assert.isAtMost(most, settings.maxBufferedBytes)
    const seqs = seqsOf(socket.frames)
    assert.deepStrictEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, index) => index + 1)
    )
  })

  it("is sent away when more happens than it may while it catches up", () => {
    const { session, socket, subscription } = subscribed()
    for (let seq = 1; seq <= 200; seq++) Session.writeLive(session, [notification(seq, "x".repeat(500))], settings)
    assert.deepStrictEqual(socket.closedWith, CloseReason.slowConsumer)
    assert.isAtMost(subscription.pendingBytes, settings.maxBufferedBytes * 2)
  })

  it("gets one message that is larger than the limit when nothing else waits", () => {
    const { session, socket, subscription } = subscribed()
    socket.isFast = false
    Session.goLive(session, subscription, settings)
    Session.writeLive(session, [notification(1, "x".repeat(20_000))], settings)
    assert.isUndefined(socket.closedWith)
    Session.writeLive(session, [notification(2)], settings)
    assert.deepStrictEqual(socket.closedWith, CloseReason.slowConsumer)
  })
})
