import { describe, expect, it } from "@effect/vitest"
import { csvLine } from "@beckon/infra/csv/CsvLine"

describe("a line of CSV", () => {
  it("ends with CRLF, and has quotes where a reader needs them", () => {
    expect(csvLine(["1", 'say "hi"', "a,b", "two\nlines", "", "a;b"])).toBe(
      '1,"say ""hi""","a,b","two\nlines",,"a;b"\r\n'
    )
  })

  it("holds no formula that a spreadsheet would run", () => {
    for (const start of ["=", "+", "-", "@", "\t", "\r", " =", "＝"]) {
      expect(csvLine([`${start}HYPERLINK`]), JSON.stringify(start)).toMatch(/^"?'/)
    }
    expect(csvLine(["=1+1"])).toBe("'=1+1\r\n")
  })
})
