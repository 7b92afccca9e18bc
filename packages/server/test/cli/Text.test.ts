import { describe, expect, it } from "@effect/vitest"
import { Duration, Option } from "effect"
import { readyLine, urlOf } from "../../src/cli/Serve.ts"
import * as Text from "../../src/cli/Text.ts"
import { parseLifetime } from "../../src/cli/Tokens.ts"

describe("text for terminals", () => {
  it("takes away what would steer the terminal", () => {
    expect(Text.plain("a\u001b[31mb\r\n\u0007c\u009b2Jd")).toBe("a [31mb c 2Jd")
  })

  it("lines columns up and cuts long cells", () => {
    const lines = Text.table(
      ["A", "B"],
      [
        ["1", "x".repeat(100)],
        ["22", "y"]
      ]
    ).split("\n")
    expect(lines).toEqual(["A   B", `1   ${"x".repeat(59)}…`, "22  y"])
  })
})

describe("lifetimes", () => {
  it.each([
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["12h", 43_200_000],
    ["7d", 604_800_000]
  ])("%s is %d ms", (text, millis) => {
    expect(Option.map(parseLifetime(text), Duration.toMillis)).toEqual(Option.some(millis))
  })

  it.each(["", "0s", "12", "h", "-1h", "1.5h", "3651d", "999999999d", "12 h", "1h30m"])("%j is none", (text) => {
    expect(parseLifetime(text)).toEqual(Option.none())
  })
})

describe("the ready line", () => {
  const config = { dataDir: ".beckon", host: "0.0.0.0", jwtSecret: Option.none(), ownTokens: true }

  it("says how to get a token, for the folder that has the secret", () => {
    expect(readyLine(config, 8080)).toBe(
      "Beckon is ready at http://127.0.0.1:8080 — get a token with: npx --yes pnpm beckon token alice"
    )
    expect(readyLine({ ...config, dataDir: "/srv/my data" }, 8080)).toMatch(/ token alice --data-dir '\/srv\/my data'$/)
  })

  it("offers no token that would be refused", () => {
    expect(readyLine({ ...config, ownTokens: false }, 8080)).toBe("Beckon is ready at http://127.0.0.1:8080")
  })
})

describe("the address that is shown", () => {
  it.each([
    ["127.0.0.1", "http://127.0.0.1:80"],
    ["0.0.0.0", "http://127.0.0.1:80"],
    ["::", "http://[::1]:80"],
    ["::1", "http://[::1]:80"],
    ["10.0.0.7", "http://10.0.0.7:80"]
  ])("of %s can be opened on this machine", (host, url) => {
    expect(urlOf(host, 80)).toBe(url)
  })
})
