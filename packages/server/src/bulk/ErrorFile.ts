/**
 * The refused rows of a batch as a CSV file, read page by page while it is written.
 */
import { Effect, Option, Stream } from "effect"
import type { Schema } from "effect"
import type { Batch, RowError } from "@beckon/domain/Batch"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { BatchStore } from "@beckon/domain/ports/BatchStore"
import { asTenant } from "@beckon/domain/ports/RowAccess"
import { csvLine } from "@beckon/infra/csv/CsvLine"

const pageSize = 1_000

const isText = (value: unknown): value is string => typeof value === "string"

const textsOf = (value: Schema.Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter(isText) : []

/** Of the file; none for a batch that came as JSON. */
const columnsOf = ({ details }: Batch): ReadonlyArray<string> =>
  typeof details === "object" && details !== null && "columns" in details ? textsOf(details["columns"]) : []

const headerOf = (columns: ReadonlyArray<string>): string =>
  csvLine(["row", "user_id", "field", "message", ...columns.map((name) => `original.${name}`)])

const lineOf = (columns: ReadonlyArray<string>, { field, message, raw, row, userId }: RowError): string => {
  const fields = textsOf(raw ?? undefined)
  // A row with too many fields keeps them all.
  const original = Array.from({ length: Math.max(columns.length, fields.length) }, (_, index) => fields[index] ?? "")
  return csvLine([String(row), userId ?? "", field, message, ...(raw === null ? columns.map(() => "") : original)])
}

/** An answer's body is read when the handler has returned: the tenant goes with each page. */
export const make = (store: BatchStore["Service"], batch: Batch): Stream.Stream<Uint8Array, StoreUnavailable> => {
  const columns = columnsOf(batch)
  const lines = Stream.paginate(0, (afterRow: number) =>
    Effect.map(
      asTenant(batch.tenantId)(store.errors(batch.tenantId, batch.id, { afterRow, limit: pageSize })),
      (page) => {
        const last = page.at(-1)
        const text = page.map((error) => lineOf(columns, error)).join("")
        return [
          text === "" ? [] : [text],
          page.length < pageSize || last === undefined ? Option.none<number>() : Option.some(last.row)
        ] as const
      }
    )
  )
  return Stream.encodeText(Stream.concat(Stream.succeed(headerOf(columns)), lines))
}
