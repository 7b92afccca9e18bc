/**
 * What becomes of a rendered text before a channel gets it: no control characters, and never longer than the channel takes.
 */

/** C0 and C1 without tab and line feed, and what PostgreSQL refuses. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g
const lineBreaks = /\r\n?|[\u0085\u2028\u2029]/g

/** For subjects, titles and parameters: a line break in a header would begin another one. */
export const oneLine = (text: string): string =>
  text.toWellFormed().replace(lineBreaks, " ").replace(controls, "").replace(/\s+/g, " ").trim()

export const lines = (text: string): string =>
  text.toWellFormed().replace(lineBreaks, "\n").replace(controls, "").trim()

/** For SMS, where every character is paid: no empty lines, no spaces around a line. */
export const denseLines = (text: string): string =>
  lines(text)
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== "")
    .join("\n")

const ellipsis = "…"

/** At most `limit` UTF-16 code units, with an ellipsis for what is cut off; no character is split. */
export const cut = (text: string, limit: number): string =>
  text.length <= limit
    ? text
    : `${text
        .slice(0, limit - 1)
        .replace(/[\ud800-\udbff]$/, "")
        .trimEnd()}${ellipsis}`
