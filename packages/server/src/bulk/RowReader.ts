/**
 * Rows of one file, checked one by one.
 */
import { Result } from "effect"
import type { BulkRequest } from "@beckon/domain/api/BulkApi"
import type { BatchRow, RowError } from "@beckon/domain/Batch"
import { rowOf } from "@beckon/domain/BulkUpload"
import type { Columns, RowFault } from "@beckon/domain/BulkUpload"

/** Characters of one field, and of a whole row, that are kept of a refused row. */
const keptField = 500
const keptRow = 4_000

/** Text that the database takes, and not more of it than helps to find the row. */
const kept = (text: string, length: number): string => {
  const storable = text.replaceAll("\u0000", "\ufffd")
  return storable.length <= length ? storable : `${storable.slice(0, length).toWellFormed()}…`
}

const rawOf = (record: ReadonlyArray<string>): ReadonlyArray<string> => {
  let left = keptRow
  return record.map((field) => {
    const text = kept(field, Math.min(keptField, left))
    left = Math.max(left - text.length, 0)
    return text
  })
}

const errorOf = (
  columns: Columns,
  record: ReadonlyArray<string>,
  row: number,
  faults: ReadonlyArray<RowFault>
): RowError => {
  const [first, ...others] = faults
  const userId = record[columns.userId] ?? ""
  return {
    row,
    userId: userId === "" ? null : kept(userId, 128),
    field: faults.map(({ field }) => field).join(", "),
    message:
      others.length === 0
        ? (first?.message ?? "")
        : faults.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; "),
    raw: rawOf(record)
  }
}

export interface RowReader {
  /** The row of this number (from 1), or what is wrong with it. */
  readonly read: (record: ReadonlyArray<string>, row: number) => Result.Result<BatchRow, RowError>
}

const tag = /\{[{%]/
/** The variable at the beginning of `{{ name | filter }}`. */
const filled = /\{\{-?\s*([A-Za-z_][\w-]*)/g

const wordsOf = ({ message = "", title = "" }: BulkRequest) => ({ title, message })

/** A name in the words that nothing can fill; where tags make names of their own, that is not known. */
export const wordsFault = (request: BulkRequest, columns: Columns): string | undefined => {
  if (request.templateCode !== undefined) return undefined
  const { variables = {} } = request
  for (const [field, text] of Object.entries(wordsOf(request))) {
    if (text.includes("{%")) continue
    for (const [, name = ""] of text.matchAll(filled)) {
      if (!columns.variables.has(name) && !Object.hasOwn(variables, name)) {
        return `${field}: {{ ${name} }} is no variable that a column gives`
      }
    }
  }
  return undefined
}

/** Whether variables of rows are for anything. */
const areFilled = (request: BulkRequest): boolean =>
  request.templateCode !== undefined || Object.values(wordsOf(request)).some((text) => tag.test(text))

const plain = ({ variables: _variables, ...row }: BatchRow): BatchRow => row

/** Words and templates are filled when the row is sent. */
export const make = (request: BulkRequest, columns: Columns): RowReader => {
  const keepsVariables = areFilled(request)
  return {
    read: (record, row) => {
      const checked = rowOf(columns, record, row)
      if (Result.isFailure(checked)) return Result.fail(errorOf(columns, record, row, checked.failure))
      return keepsVariables ? Result.succeed(checked.success) : Result.succeed(plain(checked.success))
    }
  }
}
