/**
 * How lists are asked for and answered: `?limit=&cursor=`, and `{ data, meta: { limit, next_cursor } }`.
 */
import { Schema } from "effect"
import { nonEmptyTextOf } from "../Text.ts"

/** An opaque place in a list; ids of users make it longer than those of notifications. */
export const ListCursor = nonEmptyTextOf(1_024)

/** 1 to 100; 20 when absent. */
export const pageQuery = {
  limit: Schema.optionalKey(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 100 }))
  ),
  cursor: Schema.optionalKey(ListCursor)
}

export const PageMeta = Schema.Struct({
  limit: Schema.Int,
  /** `null` on the last page. */
  nextCursor: Schema.NullOr(ListCursor)
}).pipe(Schema.encodeKeys({ nextCursor: "next_cursor" }))

export const dataOf = <S extends Schema.Top>(schema: S) => Schema.Struct({ data: schema })

export const pageOf = <S extends Schema.Top>(schema: S) => Schema.Struct({ data: Schema.Array(schema), meta: PageMeta })
