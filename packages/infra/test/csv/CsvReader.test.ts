import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import * as CsvReader from "@beckon/infra/csv/CsvReader"

const options = { delimiter: ",", maxRecordBytes: 1_000 }
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const readBytes = (
  pieces: ReadonlyArray<Uint8Array>,
  given: Partial<CsvReader.CsvOptions> = {}
): Effect.Effect<ReadonlyArray<CsvReader.CsvRecord>, CsvReader.CsvInvalid> =>
  Effect.gen(function* () {
    const reader = yield* CsvReader.make({ ...options, ...given })
    const records = Array<CsvReader.CsvRecord>()
    for (const piece of pieces) records.push(...(yield* reader.feed(piece)))
    return [...records, ...(yield* reader.end)]
  })

const read = (text: string, given?: Partial<CsvReader.CsvOptions>) => readBytes([bytesOf(text)], given)

describe("records", () => {
  it.effect("have quotes, commas, line ends and doubled quotes inside quotes", () =>
    Effect.gen(function* () {
      expect(yield* read('a,b\r\n"x, ""y""\r\nz",2\r\n')).toEqual([
        ["a", "b"],
        ['x, "y"\r\nz', "2"]
      ])
    })
  )

  it.effect("end with CRLF or LF, the last one with the file, and empty lines are none", () =>
    Effect.gen(function* () {
      const expected = [
        ["a", "b"],
        ["1", ""]
      ]
      expect(yield* read("a,b\r\n\r\n1,")).toEqual(expected)
      expect(yield* read("a,b\n1,\n\n")).toEqual(expected)
    })
  )

  it.effect("keep umlauts and emoji, and lose the byte order mark", () =>
    Effect.gen(function* () {
      expect(yield* read("\ufeffname\nJürgen 🎉\n")).toEqual([["name"], ["Jürgen 🎉"]])
    })
  )

  it.effect("are separated by another delimiter when one is given", () =>
    Effect.gen(function* () {
      expect(yield* read("a;b\n1,5;2\n", { delimiter: ";" })).toEqual([
        ["a", "b"],
        ["1,5", "2"]
      ])
    })
  )

  it.effect("come back as they were written, wherever the pieces of the file are cut", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { minLength: 2, maxLength: 4 }), {
            minLength: 1,
            maxLength: 20
          }),
          fc.integer({ min: 1, max: 40 }),
          async (rows, size) => {
            const text = rows
              .map((fields) => fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(","))
              .join("\n")
            const bytes = bytesOf(text)
            const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
              bytes.slice(index * size, (index + 1) * size)
            )
            expect(await Effect.runPromise(readBytes(pieces, { maxRecordBytes: 100_000 }))).toEqual(rows)
          }
        )
      )
    )
  )
})

describe("what is no CSV", () => {
  const refused = (text: string, given?: Partial<CsvReader.CsvOptions>) =>
    Effect.map(Effect.flip(read(text, given)), ({ message }) => message)

  it.effect("is refused with its line and the rule", () =>
    Effect.gen(function* () {
      expect(yield* refused('a,b\n1,2\n"x"y,3\n')).toMatch(/^line 3: behind a closing quote must come a delimiter/)
      expect(yield* refused('a,b\n1,x"y\n')).toMatch(/^line 2: a quote stands in the middle of a field/)
      expect(yield* refused('a,b\n1,"never\nclosed\n')).toMatch(/^line \d: a quote is opened and never closed/)
    })
  )

  it.effect("is a row that is too long, whether it ends or not", () =>
    Effect.gen(function* () {
      expect(yield* refused(`a\n${"x".repeat(60)}\n`, { maxRecordBytes: 50 })).toBe(
        "line 2: a row has more than 50 bytes; a quote that is opened and never closed does that too"
      )
      expect(yield* refused(`a\n"${"x\n".repeat(60)}`, { maxRecordBytes: 50 })).toMatch(/a row has more than 50 bytes/)
    })
  )

  it.effect("is Latin-1 and UTF-16, in whatever piece they begin", () =>
    Effect.gen(function* () {
      const latin1 = Effect.flip(readBytes([bytesOf("name\nfine\n"), new Uint8Array([0x4a, 0xfc, 0x72, 0x0a])]))
      expect((yield* latin1).message).toBe("line 3: from this line on something is not UTF-8; save the file as UTF-8")
      const utf16 = Effect.flip(readBytes([new Uint8Array([0xff, 0xfe, 0x61, 0x00])]))
      expect((yield* utf16).message).toBe("line 1: the file is UTF-16; save it as UTF-8")
      const cut = Effect.flip(readBytes([bytesOf("name\n"), new Uint8Array([0xc3])]))
      expect((yield* cut).message).toMatch(/not UTF-8/)
    })
  )
})
