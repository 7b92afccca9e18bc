/**
 * Parameters and results where the driver's own choice does not fit: arrays that may be empty or hold only nulls, and
 * numbers for `bigint`.
 *
 * **Details**
 *
 * One array for each column keeps the text of a statement the same for any number of rows, so that it stays prepared.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { DateTime, Result } from "effect"

const arrayOf =
  (elementOid: number) =>
  (values: ReadonlyArray<unknown>): PgTypes.Parameter =>
    Result.getOrThrow(PgTypes.array(values, elementOid))

/** `text[]` */
export const texts: (values: ReadonlyArray<string | null>) => PgTypes.Parameter = arrayOf(PgTypes.OID.text)

/** `timestamptz[]`, from milliseconds since 1970. */
export const timestamps: (values: ReadonlyArray<number | null>) => PgTypes.Parameter = arrayOf(PgTypes.OID.timestamptz)

/** `boolean[]` */
export const booleans: (values: ReadonlyArray<boolean>) => PgTypes.Parameter = arrayOf(PgTypes.OID.bool)

/** `double precision[]` */
export const doubles: (values: ReadonlyArray<number>) => PgTypes.Parameter = arrayOf(PgTypes.OID.float8)

const int8s = arrayOf(PgTypes.OID.int8)

/** `bigint[]`, from safe integers. */
export const bigints = (values: ReadonlyArray<number | null>): PgTypes.Parameter =>
  int8s(values.map((value) => (value === null ? null : BigInt(value))))

/** `bigint`; the type is the same for small and large numbers, so that there is one prepared statement. */
export const bigint = (value: number): PgTypes.Parameter => PgTypes.int8(BigInt(value))

export const timestamp = (value: DateTime.Utc): PgTypes.Parameter => PgTypes.timestamptz(value.epochMilliseconds)

export const toUtcOrNull = (value: Date | null): DateTime.Utc | null =>
  value === null ? null : DateTime.fromDateUnsafe(value)
