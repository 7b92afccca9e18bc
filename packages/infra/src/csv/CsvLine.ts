/**
 * A line of CSV that a spreadsheet may open.
 *
 * **Details**
 *
 * RFC 4180: CRLF, and quotes where a field holds a quote, a separator or a line end. A field that a spreadsheet would take for a
 * formula gets an apostrophe before it (OWASP, CSV Injection): `+4915112345678` is `'+4915112345678`.
 */

const formula = /^(?:[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])/
/** A semicolon or a tab separates fields where a spreadsheet is set so. */
const special = /[",;\t\r\n]/

const safe = (field: string): string => (formula.test(field) ? `'${field}` : field)

const quoted = (field: string): string => (special.test(field) ? `"${field.replaceAll('"', '""')}"` : field)

export const csvLine = (fields: ReadonlyArray<string>): string =>
  `${fields.map((field) => quoted(safe(field))).join(",")}\r\n`
