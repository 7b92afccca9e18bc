import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, FileSystem, Layer, Schema } from "effect"
import { TestConsole } from "effect/testing"
import { TokenVerifier } from "@beckon/domain/ports/Tokens"
import * as Beckon from "../../src/cli/Beckon.ts"
import * as FailureLine from "../../src/cli/FailureLine.ts"
import * as Settings from "../../src/cli/Settings.ts"
import { Signals } from "../../src/cli/Signals.ts"
import { version } from "../../src/cli/Version.ts"
import * as Secrets from "../../src/layers/Secrets.ts"
import manifest from "../../package.json" with { type: "json" }

const inFolder = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  return yield* files.makeTempDirectoryScoped()
})

/** Runs a command line as `main` does; what it printed, and its exit code. */
const run = Effect.fnUntraced(function* (args: ReadonlyArray<string>, env: Record<string, string> = {}) {
  const exit = yield* Effect.exit(Beckon.run(args)).pipe(
    Effect.provide([ConfigProvider.layer(ConfigProvider.fromEnv({ env })), Signals.layerOf(Effect.never)])
  )
  return {
    code: FailureLine.exitCodeOf(exit),
    line: Exit.isFailure(exit) && !FailureLine.isTold(exit.cause) ? FailureLine.line(exit.cause) : undefined,
    stdout: (yield* TestConsole.logLines).join("\n"),
    stderr: (yield* TestConsole.errorLines).join("\n")
  }
})

const TokenAnswer = Schema.fromJsonString(Schema.Struct({ token: Schema.String, expires_at: Schema.String }))
const decodeToken = Schema.decodeUnknownSync(TokenAnswer)

const verify = (token: string, dataDir: string) =>
  TokenVerifier.use((verifier) => verifier.verify(token)).pipe(
    Effect.provide(
      Secrets.layerTokens.pipe(
        Layer.provide(Settings.layer({})),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { BECKON_DATA_DIR: dataDir } })))
      )
    )
  )

describe("the command line", () => {
  it("has the version of its package", () => {
    expect(version).toBe(manifest.version)
  })

  it.effect("prints help and lists every command", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["--help"])
      expect(code).toBe(0)
      for (const name of ["serve", "migrate", "seed", "token", "send", "tail", "inbox", "deliveries", "dead-letters"])
        expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("prints the version", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["--version"])
      expect(code).toBe(0)
      expect(stdout).toContain(version)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  for (const shell of ["bash", "zsh", "fish"]) {
    it.effect(`prints completions for ${shell}`, () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* run(["--completions", shell])
        expect(code).toBe(0)
        expect(stdout).toContain("migrate")
        expect(stdout).toContain("dedupe-key")
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }

  for (const name of ["serve", "migrate", "seed", "token", "send", "tail", "inbox", "deliveries", "dead-letters"]) {
    it.effect(`explains ${name} with examples and exit codes`, () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* run([name, "--help"])
        expect(code).toBe(0)
        expect(stdout).toContain("EXAMPLES")
        expect(stdout).toMatch(/\b2 invalid flags or settings/)
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }

  const misuses: ReadonlyArray<readonly [args: ReadonlyArray<string>, named: string]> = [
    [["nope"], "nope"],
    [["serve", "--prot", "1"], "--prot"],
    [["serve", "--port", "70000"], "--port"],
    [["serve", "--port", "many"], "--port"],
    [["token"], "user"],
    [["token", ""], "user"],
    [["token", "alice", "--ttl", "forever"], "--ttl"],
    [["token", "alice", "--tenant", "x".repeat(65)], "--tenant"],
    [["send", "alice", "--template", "a\nb"], "--template"],
    [["deliveries", "list", "--state", "lost"], "--state"],
    [["deliveries", "show"], "id"],
    [["dead-letters", "list", "--channel", "pigeon"], "--channel"],
    [["dead-letters", "replay", "--all", "--limit", "10001"], "--limit"],
    [["send", "alice", "--title", "t", "--message", "m", "--data", "[1]"], "--data"],
    [["send", "alice", "--title", "t", "--message", "m", "--data", "{"], "--data"],
    [["send", "alice", "--title", "t", "--message", "m", "--priority", "urgent"], "--priority"],
    [["send", "alice", "--title", "t", "--message", "m", "--url", "localhost:80"], "--url"],
    [["inbox", "alice", "--limit", "101"], "--limit"],
    [["inbox", "alice", "--status", "new"], "--status"]
  ]
  for (const [args, named] of misuses) {
    it.effect(`refuses ${JSON.stringify(args).slice(0, 80)} with code 2 and names ${named}`, () =>
      Effect.gen(function* () {
        const { code, line, stderr } = yield* run(args)
        expect(code).toBe(2)
        expect(stderr).toContain(named)
        expect(line).toBeUndefined()
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }

  const contradictions: ReadonlyArray<readonly [args: ReadonlyArray<string>, line: string]> = [
    [["send", "alice", "--message", "m"], "--title is needed, or --template"],
    [["send", "alice", "--title", "t"], "--message is needed, or --template"],
    [["send", "alice", "--title", "t", "--message", "m", "--var", "a=b"], "--var goes with --template"],
    [
      ["send", "alice", "--template", "welcome", "--title", "t"],
      "--template does not go together with --title and --message"
    ],
    [["dead-letters", "replay"], "Give ids, or --all, and not both"],
    [["dead-letters", "discard", "--all", "some-id"], "Give ids, or --all, and not both"],
    [["dead-letters", "replay", "some-id", "--channel", "email"], "--channel goes with --all"]
  ]
  for (const [args, told] of contradictions) {
    it.effect(`refuses ${args.join(" ")} with code 2 and one line`, () =>
      Effect.gen(function* () {
        const { code, line } = yield* run(args)
        expect({ code, line }).toEqual({ code: 2, line: told })
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }

  const settings: ReadonlyArray<readonly [name: string, value: string]> = [
    ["PORT", "abc"],
    ["PORT", "65536"],
    ["BECKON_LOG_LEVEL", "loud"],
    ["DRAIN_TIMEOUT", "soon"],
    ["BECKON_FLUSH_COMMITS", "perhaps"]
  ]
  for (const [name, value] of settings) {
    it.effect(`refuses ${name}=${value} with code 2 and one line that names it`, () =>
      Effect.gen(function* () {
        const { code, line } = yield* run(["serve"], { [name]: value })
        expect(code).toBe(2)
        expect(line).toMatch(new RegExp(`^A setting is not valid: ${name}: [^\n]+$`))
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }
})

describe("beckon token", () => {
  it.effect("makes a token that the server of the same folder trusts", () =>
    Effect.gen(function* () {
      const dataDir = yield* inFolder
      const made = yield* run(
        [
          "token",
          "alice",
          "--tenant",
          "acme",
          "--role",
          "service",
          "--role",
          "user",
          "--name",
          "Alice",
          "--ttl",
          "30m"
        ],
        { BECKON_DATA_DIR: dataDir }
      )
      expect(made.code).toBe(0)
      const identity = yield* verify(made.stdout, dataDir)
      expect(identity).toEqual({
        tenantId: "acme",
        userId: "alice",
        roles: ["service", "user"],
        name: "Alice",
        issuedAt: 0,
        expiresAt: 30 * 60 * 1000
      })
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("is a user's for 12 hours when nothing else is said, and tells so in JSON", () =>
    Effect.gen(function* () {
      const dataDir = yield* inFolder
      const { code, stdout } = yield* run(["token", "bob", "--json", "--data-dir", dataDir])
      expect(code).toBe(0)
      const { expires_at, token } = decodeToken(stdout)
      expect(expires_at).toBe("1970-01-01T12:00:00.000Z")
      expect(yield* verify(token, dataDir)).toMatchObject({ tenantId: "default", userId: "bob", roles: ["user"] })
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("says in one line that the secret of the environment is too short", () =>
    Effect.gen(function* () {
      const { code, line } = yield* run(["token", "bob"], { BECKON_JWT_SECRET: "short" })
      expect(code).toBe(1)
      expect(line).toBe("BECKON_JWT_SECRET must have at least 32 bytes")
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

describe("failure lines", () => {
  it.effect("never quote the value of a secret", () =>
    Effect.gen(function* () {
      const { line } = yield* run(["migrate"], { DATABASE_URL: "mysql://user:hunter2@host/db" })
      expect(line).toMatch(/^The database URL is not valid/)
      expect(line).not.toContain("hunter2")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it("give an invalid setting the code of misuse and others that of failure", () => {
    const setting = Exit.fail(new Config.ConfigError(new Schema.SchemaError(missing)))
    expect(FailureLine.exitCodeOf(setting)).toBe(2)
    expect(FailureLine.exitCodeOf(Exit.fail(FailureLine.failed("no")))).toBe(1)
    expect(FailureLine.exitCodeOf(Exit.die(new Error("bug")))).toBe(1)
    expect(FailureLine.exitCodeOf(Exit.interrupt())).toBe(130)
    expect(FailureLine.exitCodeOf(Exit.void)).toBe(0)
  })
})

const decodeString = Schema.decodeUnknownExit(Schema.String)
const missing = (() => {
  const exit = decodeString(1)
  const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  if (reason?._tag !== "Fail") throw new Error("a number is not a string")
  return reason.error.issue
})()
