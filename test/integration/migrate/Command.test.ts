/**
 * `beckon migrate copy` as a user meets it: what it prints, what it refuses, and how it ends.
 */
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readdirSync, statSync } from "node:fs"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { copy, countOf, Filled, target } from "./Ends.ts"

const decodeJson = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Unknown))

const password = "test-password"

const namesAndSizes = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => `${name} ${statSync(path.join(directory, name)).size}`)
    .toSorted()

const tableCount = (sql: Effect.Success<typeof target>["sql"]) =>
  Effect.map(sql`select 1 from pg_tables where schemaname = 'public'`, (rows) => rows.length)

layer(Filled.layer, { excludeTestServices: true, timeout: "60 seconds" })("beckon migrate copy", (it) => {
  it.effect(
    "tells with --dry-run what it would do, and does nothing",
    () =>
      Effect.gen(function* () {
        const from = yield* Filled.use(({ folder }) => folder)
        const { sql, url } = yield* target
        const told = yield* BeckonProcess.run(copy(url, "--from", from, "--dry-run"))
        expect(told).toMatchObject({ code: 0, stderr: "" })
        expect(told.stdout).toMatch(/^notifications +4 +0 +no table$/m)
        expect(told.stdout).toMatch(/^The target 127\.0\.0\.1:\d+\/test_\w+ is empty$/m)
        expect(told.stdout).toMatch(/^Would copy \d+ rows; nothing was changed$/m)
        expect(yield* tableCount(sql)).toBe(0)
        const json = yield* BeckonProcess.run(copy(url, "--from", from, "--dry-run", "--json"))
        expect(decodeJson(json.stdout)).toMatchObject({
          from,
          plan: { state: "empty", migrations: expect.arrayContaining(["1_initial"]) }
        })
        yield* BeckonProcess.run(copy(url, "--from", from))
        yield* asOwner(sql`drop table beckon_copy_progress`)
        const refused = yield* BeckonProcess.run(copy(url, "--from", from, "--dry-run"))
        expect(refused).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/^The target is not empty: .*--replace$/)
        })
      }),
    120_000
  )

  it.effect(
    "copies, compares, names the secrets to take along, and leaves the folder as it was",
    () =>
      Effect.gen(function* () {
        const from = yield* Filled.use(({ folder }) => folder)
        yield* BeckonProcess.run({ args: ["token", "alice", "--data-dir", from] })
        const { sql, url } = yield* target
        const before = namesAndSizes(from)
        const copied = yield* BeckonProcess.run({ args: ["migrate", "copy", "--from", from, "--to", url, "--verify"] })
        expect(copied.code).toBe(0)
        expect(copied.stdout).toMatch(/^Copied \d+ rows in [\d.]+ s$/m)
        expect(copied.stdout).toMatch(/^notifications +4 +4 +(\w{12}) +\1 +same$/m)
        expect(copied.stdout).toContain(`BECKON_JWT_SECRET="hex:$(cat ${from}/jwt.secret)"`)
        expect(copied.stdout).not.toContain("BECKON_DEVICE_TOKEN_SECRET")
        expect(copied.stderr.split("\n")).toContain("Copying notifications: 4 of 4")
        expect(copied.stdout + copied.stderr).not.toContain(password)
        expect(namesAndSizes(from).filter((entry) => !/pg_(wal|xact|stat)/.test(entry))).toEqual(
          before.filter((entry) => !/pg_(wal|xact|stat)/.test(entry))
        )
        const again = yield* BeckonProcess.run(copy(url, "--from", from, "--json"))
        expect(decodeJson(again.stdout)).toMatchObject({ outcome: "already-finished", secrets: ["jwt.secret"] })
        yield* sql`update users set name = 'Mallory' where user_id = 'bob'`
        yield* sql`delete from preferences`
        const compared = yield* BeckonProcess.run(copy(url, "--from", from, "--verify-only"))
        expect(compared).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/The target does not hold the same as the source$/)
        })
        expect(compared.stdout).toMatch(/^users +2 +2 .* DIFFERENT$/m)
        expect(compared.stdout).toMatch(/^preferences +1 +0 .* DIFFERENT$/m)
        expect(compared.stdout).toMatch(/^devices .* same$/m)
      }),
    120_000
  )

  it.effect(
    "refuses a target that is not empty, a folder in use, a folder without a database",
    () =>
      Effect.gen(function* () {
        const from = yield* Filled.use(({ folder }) => folder)
        const { sql, url } = yield* target
        yield* BeckonProcess.run({ args: ["migrate"], env: { DATABASE_URL: url } })
        yield* sql`insert into users values ('default', 'someone', null, null, null, now())`
        const occupied = yield* BeckonProcess.run(copy(url, "--from", from))
        expect(occupied).toMatchObject({
          code: 1,
          stdout: "",
          stderr: expect.stringMatching(/^The target is not empty: users \(1\)\. --replace deletes /)
        })
        expect(yield* countOf(sql, "users")).toBe(1)
        const replaced = yield* BeckonProcess.run(copy(url, "--from", from, "--replace", "--verify"))
        expect(replaced.code).toBe(0)

        const server = yield* BeckonProcess.start({ dataDir: from })
        const inUse = yield* BeckonProcess.run(copy(url, "--from", from))
        expect(inUse).toMatchObject({ code: 1, stderr: `Data directory ${from} is in use by process ${server.pid}` })

        const nothing = yield* BeckonProcess.temporaryFolder
        const none = yield* BeckonProcess.run(copy(url, "--from", nothing))
        expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("There is no embedded database in") })
        expect(readdirSync(nothing)).toEqual([])
      }),
    120_000
  )

  it.effect(
    "ends with 2 when it does not know where to, and never prints a password",
    () =>
      Effect.gen(function* () {
        const from = yield* Filled.use(({ folder }) => folder)
        const nowhere = yield* BeckonProcess.run({ args: ["migrate", "copy", "--from", from] })
        expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining("--to <url>") })
        const both = yield* BeckonProcess.run(copy("postgres://x", "--from", from, "--verify-only", "--replace"))
        expect(both.code).toBe(2)
        const port = yield* BeckonProcess.freePort
        for (const to of [`postgres://beckon:${password}@127.0.0.1:${port}/x`, `http://beckon:${password}@host/x`]) {
          const failed = yield* BeckonProcess.run({ args: ["migrate", "copy", "--from", from, "--to", to] })
          expect(failed.code).toBe(1)
          expect(failed.stderr.split("\n")).toHaveLength(1)
          expect(failed.stdout + failed.stderr).not.toContain(password)
        }
      }),
    120_000
  )
})
