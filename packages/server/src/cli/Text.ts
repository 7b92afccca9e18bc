/**
 * Text for terminals.
 */
import { DateTime } from "effect"

/** Senders choose titles and messages: what would move the cursor or change colours is not passed on to the terminal. */
export const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")

const short = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text)

const widest = 60

/** Columns under their names, as wide as their longest cell and at most 60. */
export const table = (names: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const cells = [names, ...rows.map((row) => row.map((cell) => short(plain(cell), widest)))]
  const widths = names.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** `2026-01-31 12:00:00Z` */
export const time = (at: DateTime.Utc): string => `${DateTime.formatIso(at).slice(0, 19).replace("T", " ")}Z`
