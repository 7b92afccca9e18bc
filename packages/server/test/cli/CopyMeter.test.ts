import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CopyMeter from "../../src/cli/CopyMeter.ts"

const copying = (rows: number, of = 2_000) => ({ step: "copy", table: "notifications", rows, of }) as const

const written = (isTerminal: boolean, progress: ReadonlyArray<ReturnType<typeof copying>>) =>
  Effect.gen(function* () {
    const texts: Array<string> = []
    const meter = CopyMeter.make({ isTerminal, write: (text) => texts.push(text) })
    yield* Effect.forEach(progress, meter)
    return texts
  })

describe("the meter of a copy", () => {
  it("draws a bar", () => {
    expect(CopyMeter.bar(copying(0))).toBe("Copying notifications    [────────────────────────]   0%  0 of 2,000")
    expect(CopyMeter.bar(copying(1_500))).toBe(
      "Copying notifications    [██████████████████──────]  75%  1,500 of 2,000"
    )
    expect(CopyMeter.bar(copying(2_000))).toContain("[████████████████████████] 100%")
  })

  it.effect("moves one line on a terminal and ends it with the table", () =>
    Effect.gen(function* () {
      const texts = yield* written(true, [copying(0), copying(1_000), copying(2_000)])
      expect(texts).toHaveLength(3)
      expect(texts.every((text) => text.startsWith("\r\u001b[2K"))).toBe(true)
      expect(texts.map((text) => text.endsWith("\n"))).toEqual([false, false, true])
    })
  )

  it.effect("writes a plain line for every tenth elsewhere, and none for an empty table", () =>
    Effect.gen(function* () {
      const steps = Array.from({ length: 101 }, (_, index) => copying(index * 20))
      const texts = yield* written(false, [copying(0, 0), ...steps])
      expect(texts).toHaveLength(11)
      expect(texts[0]).toBe("Copying notifications: 0 of 2,000\n")
      expect(texts[5]).toBe("Copying notifications: 1,000 of 2,000\n")
      expect(texts[10]).toBe("Copying notifications: 2,000 of 2,000\n")
    })
  )
})
