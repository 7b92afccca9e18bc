/**
 * What the columns of an uploaded file mean, and what a row of it asks for: pure rules.
 *
 * **Details**
 *
 * The first record names the columns. A column whose name is that of a target (`user_id`, `email`, …; upper and lower case do
 * not matter) is that target; `columns` of the request says it for others. What is left are variables, unless the request
 * says that such columns are ignored or refused.
 *
 * **Gotchas**
 *
 * An empty field says nothing: the content's own value stays. A variable that is empty text cannot be told from one that is
 * not given, so it is not given.
 */
import { Result, Schema } from "effect"
import { RequestId } from "./api/NotificationRequest.ts"
import type { BatchRow } from "./Batch.ts"
import { Urgency } from "./DeliveryOptions.ts"
import { UserId } from "./Identifiers.ts"
import { identifierOf, isStorableText, nonEmptyTextOf } from "./Text.ts"

export const bulkLimits = {
  columns: 200,
  /** Bytes of a row, with its quotes and line end. */
  rowBytes: 32_768,
  columnName: 128,
  /** Variables of a row, in bytes of JSON. */
  variablesBytes: 16_384
} as const

const fixedTargets = ["user_id", "email", "phone", "priority", "language", "request_id", "ignore"] as const
type FixedTarget = (typeof fixedTargets)[number]

/** `variables.name`, with `:number` or `:boolean` behind it where the template wants no text. */
const variableTarget = /^variables\.([^\s:.\u0000-\u001f\u007f]{1,64})(?::(text|number|boolean))?$/

const isFixed = (target: string): target is FixedTarget => fixedTargets.some((fixed) => fixed === target)

/** What a column is. */
export const ColumnTarget = Schema.String.check(
  Schema.makeFilter((target: string) => isFixed(target) || variableTarget.test(target), {
    expected: `one of ${fixedTargets.join(", ")}, variables.<name>, variables.<name>:number, variables.<name>:boolean`
  })
)

export const ColumnName = nonEmptyTextOf(bulkLimits.columnName)

export const UnknownColumns = Schema.Literals(["variables", "ignore", "refuse"])
export type UnknownColumns = typeof UnknownColumns.Type

export const Delimiter = Schema.Literals([",", ";", "|", "\t"])

/** How a file is to be read. */
export interface ColumnRules {
  /** Names of columns and what they are. */
  readonly columns?: Readonly<Record<string, string>> | undefined
  readonly unknownColumns?: UnknownColumns | undefined
  readonly delimiter?: string | undefined
}

type VariableKind = "text" | "number" | "boolean"

type Column =
  | { readonly _tag: "Ignored" }
  | { readonly _tag: "Fixed"; readonly name: string; readonly target: Exclude<FixedTarget, "ignore"> }
  | { readonly _tag: "Variable"; readonly name: string; readonly variable: string; readonly kind: VariableKind }

/** What each column is, in the order of the file. */
export interface Columns {
  readonly list: ReadonlyArray<Column>
  readonly names: ReadonlyArray<string>
  readonly userId: number
  readonly variables: ReadonlySet<string>
}

const ignored: Column = { _tag: "Ignored" }

const columnOf = (name: string, rules: ColumnRules): Column | string => {
  const given = rules.columns !== undefined && Object.hasOwn(rules.columns, name) ? rules.columns[name] : undefined
  const target = given ?? name.toLowerCase()
  if (isFixed(target)) return target === "ignore" ? ignored : { _tag: "Fixed", name, target }
  const [, variable, kind] = variableTarget.exec(given ?? name) ?? []
  if (variable !== undefined) {
    return { _tag: "Variable", name, variable, kind: kind === "number" || kind === "boolean" ? kind : "text" }
  }
  switch (rules.unknownColumns ?? "variables") {
    case "ignore":
      return ignored
    case "refuse":
      return `column "${name}": unknown; name it in columns`
    case "variables":
      return { _tag: "Variable", name, variable: name, kind: "text" }
  }
}

const isName = Schema.is(ColumnName)

const twice = (names: ReadonlyArray<string>): string | undefined =>
  names.find((name, index) => names.indexOf(name) !== index)

const nameFault = (names: ReadonlyArray<string>, rules: ColumnRules): string | undefined => {
  if (names.length > bulkLimits.columns) return `header: at most ${bulkLimits.columns} columns; it has ${names.length}`
  const unnamed = names.findIndex((name) => !isName(name))
  if (unnamed !== -1) return `header: column ${unnamed + 1} needs a name of 1 to ${bulkLimits.columnName} characters`
  const repeated = twice(names)
  if (repeated !== undefined) return `header: column "${repeated}" is there twice`
  const missing = Object.keys(rules.columns ?? {}).find((name) => !names.includes(name))
  return missing === undefined ? undefined : `columns: the file has no column "${missing}"`
}

const noUserId = (names: ReadonlyArray<string>, delimiter: string): string => {
  const hint =
    names.length === 1 && /[,;|\t]/.test(names[0] ?? "")
      ? `; there is only one column, so another delimiter than "${delimiter}" may be meant`
      : ""
  return `header: a column user_id is needed, or one that columns says is it${hint}`
}

/** Reads the first record; fails with what is wrong with it. */
export const columnsOf = (header: ReadonlyArray<string>, rules: ColumnRules): Result.Result<Columns, string> => {
  const names = header.map((name) => name.trim())
  const fault = nameFault(names, rules)
  if (fault !== undefined) return Result.fail(fault)
  const list: Array<Column> = []
  for (const name of names) {
    const column = columnOf(name, rules)
    if (typeof column === "string") return Result.fail(column)
    list.push(column)
  }
  const targets = list.flatMap((column) =>
    column._tag === "Ignored" ? [] : [column._tag === "Fixed" ? column.target : `variables.${column.variable}`]
  )
  const repeated = twice(targets)
  if (repeated !== undefined) return Result.fail(`columns: two columns are ${repeated}`)
  const userId = list.findIndex((column) => column._tag === "Fixed" && column.target === "user_id")
  if (userId === -1) return Result.fail(noUserId(names, rules.delimiter ?? ","))
  const variables = new Set(list.flatMap((column) => (column._tag === "Variable" ? [column.variable] : [])))
  return Result.succeed({ list, names, userId, variables })
}

export interface RowFault {
  /** The column, as the file names it; empty where it is the whole row. */
  readonly field: string
  readonly message: string
}

const isUserId = Schema.is(UserId)
const isUrgency = Schema.is(Urgency)
const isRequestId = Schema.is(RequestId)
const isLanguage = Schema.is(identifierOf(35))
const phone = /^\+[1-9]\d{6,14}$/
/** What no mail server takes is refused here; whether the address exists only sending tells. */
const email = /^[^\s\u0000-\u001f\u007f<>()[\]\\,;:"@]{1,64}@[^\s\u0000-\u001f\u007f<>()[\]\\,;:"@]{1,189}$/u
const integer = /^\d{1,2}$/
const decimal = /^-?\d{1,15}(?:\.\d{1,15})?$/

interface Draft {
  userId?: UserId
  email?: string
  phone?: string
  priority?: number
  language?: string
  requestId?: string
  readonly variables: Record<string, Schema.Json>
}

const takeFixed = (row: Draft, target: Exclude<FixedTarget, "ignore">, value: string): string | undefined => {
  switch (target) {
    case "user_id":
      if (!isUserId(value)) return "1 to 128 characters, without control characters"
      row.userId = value
      return undefined
    case "email":
      if (!email.test(value)) return "an address such as ada@example.com"
      row.email = value
      return undefined
    case "phone": {
      // As our own files of errors have it, and what people put before a plus sign in a spreadsheet.
      const number = value.startsWith("'+") ? value.slice(1) : value
      if (!phone.test(number)) return "a phone number in E.164, such as +4915112345678"
      row.phone = number
      return undefined
    }
    case "priority": {
      const priority = Number(value)
      if (!integer.test(value) || !isUrgency(priority)) return "a whole number from 1 to 10"
      row.priority = priority
      return undefined
    }
    case "language":
      if (!isLanguage(value)) return "a language tag of 1 to 35 characters, such as en"
      row.language = value
      return undefined
    case "request_id":
      if (!isRequestId(value)) return "1 to 200 characters"
      row.requestId = value
      return undefined
  }
}

const takeVariable = (row: Draft, name: string, kind: VariableKind, value: string): string | undefined => {
  switch (kind) {
    case "text":
      if (!isStorableText(value)) return "text without NUL and without lone surrogates"
      row.variables[name] = value
      return undefined
    case "number":
      if (!decimal.test(value)) return "a number such as 12 or 12.5"
      row.variables[name] = Number(value)
      return undefined
    case "boolean": {
      const lower = value.toLowerCase()
      if (lower !== "true" && lower !== "false") return "true or false"
      row.variables[name] = lower === "true"
      return undefined
    }
  }
}

const encoder = new TextEncoder()

const isTooLarge = (variables: Record<string, Schema.Json>, record: ReadonlyArray<string>): boolean => {
  let length = 0
  for (const field of record) length += field.length
  // Six characters of JSON for one of text is the worst there is.
  return (
    length * 6 + record.length * bulkLimits.columnName > bulkLimits.variablesBytes &&
    encoder.encode(JSON.stringify(variables)).length > bulkLimits.variablesBytes
  )
}

/** Reads the row of this number; fails with everything that is wrong with it. */
export const rowOf = (
  columns: Columns,
  record: ReadonlyArray<string>,
  number: number
): Result.Result<BatchRow, ReadonlyArray<RowFault>> => {
  const { list, names } = columns
  if (record.length !== list.length) {
    const message = `${list.length} fields, as the header has; it has ${record.length}`
    return Result.fail([{ field: "", message }])
  }
  const row: Draft = { variables: Object.create(null) }
  const faults: Array<RowFault> = []
  for (const [index, column] of list.entries()) {
    if (column._tag === "Ignored") continue
    const raw = record[index] ?? ""
    if (raw === "") continue
    const message =
      column._tag === "Fixed"
        ? takeFixed(row, column.target, raw.trim())
        : takeVariable(row, column.variable, column.kind, column.kind === "text" ? raw : raw.trim())
    if (message !== undefined) faults.push({ field: column.name, message })
  }
  const { userId, variables } = row
  if (isTooLarge(variables, record)) {
    faults.push({ field: "", message: `variables: at most ${bulkLimits.variablesBytes} bytes of JSON` })
  }
  if (userId === undefined && (record[columns.userId] ?? "") === "") {
    faults.push({ field: names[columns.userId] ?? "user_id", message: "it is empty" })
  }
  if (userId === undefined || faults.length > 0) return Result.fail(faults)
  const to = {
    ...(row.email === undefined ? {} : { email: row.email }),
    ...(row.phone === undefined ? {} : { phone: row.phone })
  }
  return Result.succeed({
    row: number,
    userId,
    ...(row.email === undefined && row.phone === undefined ? {} : { to }),
    ...(row.priority === undefined ? {} : { priority: row.priority }),
    ...(row.language === undefined ? {} : { language: row.language }),
    ...(row.requestId === undefined ? {} : { requestId: row.requestId }),
    ...(Object.keys(variables).length === 0 ? {} : { variables: { ...variables } })
  })
}
