/**
 * A walk through a list, page by page, while others write to it; and what must be true of what it saw.
 */
import { byBytes } from "@beckon/infra/memory/ByteOrder"
import { Config, Effect, Option, Schema } from "effect"
import fc from "fast-check"

/** A row: what the list calls it, and its place in the list's order. */
export interface Row {
  readonly key: string
  readonly place: string | number
}

export interface Page {
  /** In the order of the list. */
  readonly keys: ReadonlyArray<string>
  /** `undefined` on the last page. */
  readonly next: string | undefined
}

export type Read<E, R> = (cursor: string | undefined, limit: number) => Effect.Effect<Page, E, R>

/** A list of one owner, at first with nothing of his own. */
export interface List<E, R> {
  readonly direction: "ascending" | "descending"
  /** `name` and `number` are unique within the list; a list uses what it is ordered by. */
  readonly insert: (wish: { readonly name: string; readonly number: number }) => Effect.Effect<Row, E, R>
  /** Absent where nothing ever leaves the list. */
  readonly remove: ((row: Row) => Effect.Effect<unknown, E, R>) | undefined
}

/** Step 0 is before the walk, step n after page n. */
interface Wish {
  readonly name: string
  readonly number: number
  readonly inserted: number
  readonly removed: number | undefined
}

export interface Scenario {
  readonly limit: number
  readonly wishes: ReadonlyArray<Wish>
}

// Bytes and UTF-16 units order the last four differently; the rest means something to SQL, URLs or cursors.
const letters = `a,Z,0,-,_,:,/,%,?,&,=,+,#,',",\\, ,\u00a0,\u202e,é,ß,\ue000,\uffff,\u{10000},👋`.split(",")

const wish = fc.record({
  name: fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 6 }),
  number: fc.integer({ min: 1, max: 99_999 }),
  inserted: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(5) }),
  removed: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined, freq: 2 })
})

export const scenarios = fc.record({
  limit: fc.integer({ min: 1, max: 5 }),
  wishes: fc.uniqueArray(wish, {
    maxLength: 20,
    comparator: (left, right) => left.name === right.name || left.number === right.number
  })
})

/** `BECKON_TEST_SEED` repeats a run. */
export const seed = Effect.map(Config.option(Config.schema(Schema.FiniteFromString, "BECKON_TEST_SEED")), (given) =>
  Option.getOrElse(given, () => Math.floor(Math.random() * 2 ** 31))
)

const comparePlaces = (left: Row["place"], right: Row["place"]): number =>
  typeof left === "number" && typeof right === "number" ? left - right : byBytes(String(left), String(right))

/** Answers what is wrong with the walk; nothing when all is well. */
export const walk = Effect.fnUntraced(function* <E, R, E2, R2>(
  list: List<E, R>,
  read: Read<E2, R2>,
  { limit, wishes }: Scenario
) {
  const there = new Map<string, Row>()
  const everything = new Map<string, Row>()
  const byWish = new Map<Wish, Row>()

  const change = Effect.fnUntraced(function* (step: number) {
    for (const one of wishes) {
      const row = byWish.get(one)
      if (row !== undefined && one.removed === step && list.remove !== undefined) {
        yield* list.remove(row)
        there.delete(row.key)
      }
      if (row === undefined && one.inserted === step) {
        const made = yield* list.insert(one)
        byWish.set(one, made)
        there.set(made.key, made)
        everything.set(made.key, made)
      }
    }
  })

  const wrong: Array<string> = []
  // What every list of this kind has, by name.
  const { keys: common, next: more } = yield* read(undefined, 100)
  if (more !== undefined) wrong.push("the list is not empty")
  for (const key of common) everything.set(key, { key, place: key })
  yield* change(0)
  for (const key of common) there.set(key, { key, place: key })
  const lasting = new Map(there)
  const seen: Array<string> = []
  let cursor: string | undefined
  for (let page = 1; ; page++) {
    const { keys, next } = yield* read(cursor, limit)
    if (keys.length > limit) wrong.push(`page ${page} has ${keys.length} rows`)
    if (next !== undefined && keys.length < limit) wrong.push(`page ${page} is not full, and not the last one`)
    for (const key of keys) if (!there.has(key)) wrong.push(`page ${page} has ${key}, which is not there`)
    seen.push(...keys)
    if (next === undefined) break
    if (page > everything.size) {
      wrong.push("the walk does not end")
      break
    }
    cursor = next
    yield* change(page)
  }

  const sign = list.direction === "ascending" ? 1 : -1
  for (const [index, key] of seen.entries()) {
    const row = everything.get(key)
    const before = everything.get(seen[index - 1] ?? "")
    if (row === undefined || before === undefined) continue
    if (sign * comparePlaces(before.place, row.place) >= 0) wrong.push(`${row.key} comes after ${before.key}`)
  }
  for (const key of lasting.keys()) {
    if (there.has(key) && !seen.includes(key)) wrong.push(`${key} was there all the time and is not seen`)
  }
  for (const key of common) there.delete(key)
  if (list.remove !== undefined) yield* Effect.forEach(there.values(), list.remove)
  return wrong
})
