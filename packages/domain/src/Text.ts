/**
 * Schemas for text that comes from outside.
 *
 * **Details**
 *
 * PostgreSQL's `text` refuses NUL, and a lone surrogate does not survive UTF-8, so both are refused here with a message
 * that names them, before anything is saved.
 */
import { Schema } from "effect"

/** Whether a database keeps this text as it is. */
export const isStorableText = (value: string): boolean => !value.includes("\u0000") && value.isWellFormed()

const isStorable = Schema.makeFilter<string>(isStorableText, {
  expected: "text without NUL and without lone surrogates"
})

const isPrintable = Schema.makeFilter<string>(
  (value) => /^[^\u0000-\u001f\u007f]+$/.test(value) && value.isWellFormed(),
  {
    expected: "an id without control characters"
  }
)

/** Text of 0 to `maxLength` UTF-16 code units. */
export const textOf = (maxLength: number) => Schema.String.check(Schema.isMaxLength(maxLength), isStorable)

/** Text of 1 to `maxLength` UTF-16 code units. */
export const nonEmptyTextOf = (maxLength: number) =>
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(maxLength), isStorable)

/** An opaque id of 1 to `maxLength` UTF-16 code units, without control characters. */
export const identifierOf = (maxLength: number) =>
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(maxLength), isPrintable)
