/**
 * Bytes of a file in, chunks of checked rows out; holds one chunk at most.
 */
import { Effect, Result } from "effect"
import { createHash } from "node:crypto"
import { maxRows } from "@beckon/domain/Batch"
import type { BatchRow, RowError } from "@beckon/domain/Batch"
import { bulkLimits } from "@beckon/domain/BulkUpload"
import { Unprocessable } from "@beckon/domain/Problem"
import * as CsvReader from "@beckon/infra/csv/CsvReader"
import type { CsvInvalid, CsvRecord } from "@beckon/infra/csv/CsvReader"
import type { RowReader } from "./RowReader.ts"

export interface FullChunk {
  readonly rows: ReadonlyArray<BatchRow>
  readonly errors: ReadonlyArray<RowError>
}

export interface Steps<E> {
  /** Takes the header; nothing is read before it is done. */
  readonly start: (header: CsvRecord) => Effect.Effect<RowReader, E>
  /** Nothing is read before it is done. */
  readonly save: (chunk: FullChunk) => Effect.Effect<void, E>
}

export interface FileEnd {
  readonly rows: number
  readonly sha256: string
}

export interface FileReader {
  readonly feed: <E>(bytes: Uint8Array, steps: Steps<E>) => Effect.Effect<void, E | Unprocessable>
  /** The last rows, how many there were, and the SHA-256 of all bytes. */
  readonly end: <E>(steps: Steps<E>) => Effect.Effect<FileEnd, E | Unprocessable>
}

/** Bytes that are parsed in one go: some milliseconds, after which others have their turn. */
const sliceBytes = 65_536
/** Characters of a chunk, about: rows with long fields make smaller chunks. */
const chunkWeight = 2_000_000

const toProblem = ({ message }: CsvInvalid) => new Unprocessable({ detail: `file: ${message}` })

export const make = (delimiter: string): Effect.Effect<FileReader> =>
  Effect.map(CsvReader.make({ delimiter, maxRecordBytes: bulkLimits.rowBytes }), (csv) => {
    const hash = createHash("sha256")
    let reader: RowReader | undefined
    let rows: Array<BatchRow> = []
    let errors: Array<RowError> = []
    let weight = 0
    let count = 0

    const isFull = () => rows.length >= maxRows || errors.length >= maxRows || weight >= chunkWeight

    const takeRow = (by: RowReader, record: CsvRecord): void => {
      count += 1
      const read = by.read(record, count)
      if (Result.isSuccess(read)) {
        rows.push(read.success)
        weight += (read.success.title?.length ?? 0) + (read.success.message?.length ?? 0)
      } else {
        errors.push(read.failure)
      }
      for (const field of record) weight += field.length
    }

    const flush = <E>({ save }: Steps<E>): Effect.Effect<void, E> =>
      Effect.suspend(() => {
        if (rows.length + errors.length === 0) return Effect.void
        const chunk = { rows, errors }
        rows = []
        errors = []
        weight = 0
        return save(chunk)
      })

    const takeAll = <E>(records: ReadonlyArray<CsvRecord>, steps: Steps<E>): Effect.Effect<void, E> =>
      Effect.gen(function* () {
        for (const record of records) {
          if (reader === undefined) {
            reader = yield* steps.start(record)
            continue
          }
          takeRow(reader, record)
          if (isFull()) yield* flush(steps)
        }
      })

    const feed = <E>(bytes: Uint8Array, steps: Steps<E>): Effect.Effect<void, E | Unprocessable> =>
      Effect.gen(function* () {
        hash.update(bytes)
        for (let at = 0; at < bytes.length; at += sliceBytes) {
          const records = yield* Effect.mapError(csv.feed(bytes.subarray(at, at + sliceBytes)), toProblem)
          yield* takeAll(records, steps)
        }
      })

    const end = <E>(steps: Steps<E>): Effect.Effect<FileEnd, E | Unprocessable> =>
      Effect.gen(function* () {
        yield* takeAll(yield* Effect.mapError(csv.end, toProblem), steps)
        yield* flush(steps)
        return { rows: count, sha256: hash.digest("hex") }
      })

    return { feed, end }
  })
