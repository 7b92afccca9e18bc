/**
 * CSV as RFC 4180 has it, out of bytes that come piece by piece.
 *
 * **Details**
 *
 * Quotes, line ends inside quotes, CRLF and LF, a byte order mark: csv-parse. Empty lines are skipped. A piece is answered
 * with the records that end in it, and nothing else is kept but the record that has only begun, so that memory does not grow
 * with the file. What breaks the grammar ends the reading: behind a quote that is not closed nobody knows what a row is.
 *
 * **Gotchas**
 *
 * Records may have different numbers of fields: what that means is the caller's to say.
 */
import { Effect, Schema } from "effect"
import { CsvError, parse } from "csv-parse"
import type { TransformOptions } from "node:stream"

/** `line` counts from 1, lines inside quotes too. */
export class CsvInvalid extends Schema.TaggedError<CsvInvalid>()("CsvInvalid", {
  line: Schema.Int,
  rule: Schema.String
}) {
  override get message() {
    return `line ${this.line}: ${this.rule}`
  }
}

export type CsvRecord = ReadonlyArray<string>

export interface CsvReader {
  /** The records that end in these bytes. */
  readonly feed: (bytes: Uint8Array) => Effect.Effect<ReadonlyArray<CsvRecord>, CsvInvalid>
  /** The record that the end of the file ends. */
  readonly end: Effect.Effect<ReadonlyArray<CsvRecord>, CsvInvalid>
}

export interface CsvOptions {
  /** One character. */
  readonly delimiter: string
  readonly maxRecordBytes: number
}

const otherRule = "not CSV as RFC 4180 has it"

const rules: Readonly<Partial<Record<CsvError["code"], string>>> = {
  CSV_QUOTE_NOT_CLOSED: "a quote is opened and never closed",
  CSV_INVALID_CLOSING_QUOTE:
    'behind a closing quote must come a delimiter or the end of the line; a quote inside quotes is written twice ("")',
  INVALID_OPENING_QUOTE:
    'a quote stands in the middle of a field without quotes; such a field is put in quotes, and the quote written twice ("")'
}

const ruleOf = ({ code }: CsvError, maxRecordBytes: number): string =>
  code === "CSV_MAX_RECORD_SIZE"
    ? `a row has more than ${maxRecordBytes} bytes; a quote that is opened and never closed does that too`
    : (rules[code] ?? otherRule)

const utf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)

const newlines = (bytes: Uint8Array): number => {
  let count = 0
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1
  return count
}

export const make = ({ delimiter, maxRecordBytes }: CsvOptions): Effect.Effect<CsvReader> =>
  Effect.sync(() => {
    // Goes on to the stream: all records of a piece are taken before the next one is given.
    const buffer: TransformOptions = { readableHighWaterMark: 1_048_576 }
    const parser = parse({
      bom: true,
      delimiter,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: maxRecordBytes,
      ...buffer
    })
    const decoder = new TextDecoder("utf-8", { fatal: true })
    let failure: Error | undefined
    parser.on("error", (error) => {
      failure ??= error
    })
    let lines = 1
    let isFirst = true

    const invalid = (error: Error): CsvInvalid =>
      error instanceof CsvError
        ? new CsvInvalid({
            line: typeof error["lines"] === "number" ? error["lines"] : lines,
            rule: ruleOf(error, maxRecordBytes)
          })
        : new CsvInvalid({ line: lines, rule: otherRule })

    /** csv-parse would put a replacement character where bytes are no UTF-8, and nobody would know. */
    const encodingFault = (bytes: Uint8Array | undefined): CsvInvalid | undefined => {
      if (bytes !== undefined && isFirst && bytes.length > 1) {
        isFirst = false
        if (utf16(bytes)) return new CsvInvalid({ line: 1, rule: "the file is UTF-16; save it as UTF-8" })
      }
      try {
        decoder.decode(bytes, { stream: bytes !== undefined })
      } catch {
        return new CsvInvalid({ line: lines, rule: "from this line on something is not UTF-8; save the file as UTF-8" })
      }
      if (bytes !== undefined) lines += newlines(bytes)
      return undefined
    }

    const drain = (records: Array<CsvRecord>): void => {
      // csv-parse's own types say any: without columns and casts a record is an array of strings.
      let record: CsvRecord | null = parser.read()
      while (record !== null) {
        records.push(record)
        record = parser.read()
      }
    }

    const feed = (bytes: Uint8Array): Effect.Effect<ReadonlyArray<CsvRecord>, CsvInvalid> =>
      Effect.suspend(() => {
        const fault = encodingFault(bytes)
        if (fault !== undefined) return Effect.fail(fault)
        return Effect.callback<ReadonlyArray<CsvRecord>, CsvInvalid>((resume) => {
          const records: Array<CsvRecord> = []
          parser.write(bytes, (error) => {
            drain(records)
            resume(error === null || error === undefined ? Effect.succeed(records) : Effect.fail(invalid(error)))
          })
          drain(records)
        })
      })

    const end = Effect.suspend((): Effect.Effect<ReadonlyArray<CsvRecord>, CsvInvalid> => {
      const fault = encodingFault(undefined)
      if (fault !== undefined) return Effect.fail(fault)
      return Effect.callback<ReadonlyArray<CsvRecord>, CsvInvalid>((resume) => {
        if (failure !== undefined) return resume(Effect.fail(invalid(failure)))
        const records: Array<CsvRecord> = []
        parser.once("error", (error) => resume(Effect.fail(invalid(error))))
        parser.once("end", () => resume(Effect.succeed(records)))
        parser.on("readable", () => drain(records))
        parser.end()
        drain(records)
      })
    })

    return { feed, end }
  })
