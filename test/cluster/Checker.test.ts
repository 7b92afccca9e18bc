import { assert, describe, it } from "@effect/vitest"
import * as Checker from "./Checker.ts"

/** Two events of one user, answered, saved and seen by one device. */
const truth = () => {
  const checker = Checker.make()
  checker.sent.set("k1", { user: "ada", sentAt: 0, answeredAt: 10, seq: 1, id: "a" })
  checker.sent.set("k2", { user: "ada", sentAt: 20, answeredAt: 30, seq: 2, id: "b" })
  const device = checker.device("ada", "ada/a")
  checker.saw(device, 1, "a", 11)
  checker.saw(device, 2, "b", 31)
  device.wire.push([1, 2])
  const rows: ReadonlyArray<Checker.Row> = [
    { user_id: "ada", seq: 1, id: "a", dedupe_key: "k1" },
    { user_id: "ada", seq: 2, id: "b", dedupe_key: "k2" }
  ]
  return { checker, device, rows }
}

const countsOf = ({ lost, notRecovered, outOfOrder, repeated }: Checker.Figures) => ({
  lost,
  repeated,
  outOfOrder,
  notRecovered
})
const fine = { lost: 0, repeated: 0, outOfOrder: 0, notRecovered: 0 }

describe("the checker of the cluster tests", () => {
  it("finds nothing wrong where nothing is", () => {
    const { checker, rows } = truth()
    const figures = checker.verdict(rows)
    assert.deepStrictEqual(countsOf(figures), fine)
    assert.deepInclude(figures, { accepted: 2, saved: 2, seen: 2, faults: [] })
    assert.deepStrictEqual(figures.answerStall, { median: 20, worst: 20 })
    assert.deepStrictEqual(figures.frameStall, { median: 20, worst: 20 })
  })

  it("finds an answered event that was not saved, or saved as another", () => {
    const { checker, rows } = truth()
    assert.isAbove(checker.verdict(rows.slice(0, 1)).lost, 0)
    assert.isAbove(checker.verdict(rows.map((row) => (row.seq === 2 ? { ...row, id: "c" } : row))).lost, 0)
  })

  it("finds an event that was saved twice", () => {
    const { checker, rows } = truth()
    const twice = [...rows, { user_id: "ada", seq: 3, id: "c", dedupe_key: "k2" }]
    assert.isAbove(checker.verdict(twice).repeated, 0)
  })

  it("finds a gap in what is saved", () => {
    const { checker, rows } = truth()
    const gap = [...rows, { user_id: "ada", seq: 4, id: "d", dedupe_key: null }]
    assert.include(checker.verdict(gap).faults, "ada: saved seqs are not dense")
  })

  it("finds an event that was sent later and numbered earlier", () => {
    const { checker, rows } = truth()
    checker.sent.set("k1", { user: "ada", sentAt: 40, answeredAt: 50, seq: 1, id: "a" })
    assert.strictEqual(checker.verdict(rows).outOfOrder, 1)
  })

  it("finds a notification that a device missed, saw twice, or saw too early", () => {
    const missed = truth()
    missed.device.seqs.pop()
    missed.device.ids.pop()
    assert.strictEqual(missed.checker.verdict(missed.rows).lost, 1)
    const twice = truth()
    twice.checker.saw(twice.device, 2, "b", 40)
    assert.strictEqual(twice.checker.verdict(twice.rows).repeated, 1)
    const early = truth()
    early.device.seqs.reverse()
    early.device.ids.reverse()
    assert.strictEqual(early.checker.verdict(early.rows).outOfOrder, 1)
  })

  it("finds a gap or a repeat on one socket, which a client would have hidden", () => {
    const gap = truth()
    gap.device.wire.push([3, 5])
    assert.strictEqual(gap.checker.verdict(gap.rows).lost, 1)
    const repeat = truth()
    repeat.device.wire.push([2, 2])
    assert.strictEqual(repeat.checker.verdict(repeat.rows).repeated, 1)
  })

  it("finds a resume that was none", () => {
    const { checker, device, rows } = truth()
    device.recovered.push(false)
    assert.strictEqual(checker.verdict(rows).notRecovered, 1)
  })
})
