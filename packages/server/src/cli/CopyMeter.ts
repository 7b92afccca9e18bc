/**
 * How far a copy is, on stderr: a bar that moves on a terminal; elsewhere a line at a table's begin, every
 * tenth of it, and its end. Tables without rows are passed over.
 */
import type { CopyProgress } from "@beckon/infra/postgres/DatabaseCopy"
import { Effect } from "effect"
import process from "node:process"

const verbs: Readonly<Record<CopyProgress["step"], string>> = { copy: "Copying", verify: "Comparing" }

const width = 24

const share = ({ of, rows }: CopyProgress): number => (of === 0 ? 1 : Math.min(1, rows / of))

const count = (rows: number): string => rows.toLocaleString("en-US")

/** `Copying notifications [████────]  50%  100,000 of 200,000` */
export const bar = (progress: CopyProgress): string => {
  const filled = Math.round(share(progress) * width)
  const percent = `${Math.floor(share(progress) * 100)}%`.padStart(4)
  const name = `${verbs[progress.step]} ${progress.table}`.padEnd(24)
  return `${name} [${"█".repeat(filled)}${"─".repeat(width - filled)}] ${percent}  ${count(progress.rows)} of ${count(progress.of)}`
}

/** `Copying notifications: 100,000 of 200,000` */
export const line = (progress: CopyProgress): string =>
  `${verbs[progress.step]} ${progress.table}: ${count(progress.rows)} of ${count(progress.of)}`

export interface Output {
  readonly isTerminal: boolean
  readonly write: (text: string) => void
}

const stderr: Output = {
  get isTerminal() {
    return process.stderr.isTTY
  },
  write: (text) => void process.stderr.write(text)
}

/** Takes every progress and writes some of them. */
export const make = (output: Output = stderr): ((progress: CopyProgress) => Effect.Effect<void>) => {
  let shown = ""
  return (progress) =>
    Effect.sync(() => {
      if (progress.of === 0) return
      const ended = progress.rows >= progress.of
      const key = `${progress.step} ${progress.table} `
      const mark = `${key}${ended ? "end" : Math.floor(share(progress) * (output.isTerminal ? 200 : 10))}`
      if (mark === shown) return
      shown = mark
      if (output.isTerminal) output.write(`\r\u001b[2K${bar(progress)}${ended ? "\n" : ""}`)
      else output.write(`${line(progress)}\n`)
    })
}
