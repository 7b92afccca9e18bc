/**
 * `beckon token`: a token for trying things out and for services, whether or not the server runs.
 */
import { Console, DateTime, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { Role } from "@beckon/domain/Identity"
import { textOf } from "@beckon/domain/Text"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"
import * as Tokens from "./Tokens.ts"

const roleFlag = Flag.String("role").pipe(
  Flag.withDescription(
    "A role, may be repeated: user, service (sends to anyone), admin (of the tenant), platform (of the deployment), or one of yours; default user"
  ),
  Flag.withSchema(Role),
  Flag.between(0, 64)
)

const nameFlag = Flag.String("name").pipe(
  Flag.withDescription("Name that others see"),
  Flag.withSchema(textOf(256)),
  Flag.optional
)

const encode = Schema.encodeSync(
  Schema.fromJsonString(
    Schema.Struct({
      token: Schema.String,
      expires_at: Schema.DateTimeUtcFromString,
      sub: Schema.String,
      tenant: Schema.String,
      roles: Schema.Array(Schema.String)
    })
  )
)

export const command = Command.make(
  "token",
  {
    user: Tokens.userArgument,
    tenant: Tokens.tenantFlag,
    roles: roleFlag,
    name: nameFlag,
    ttl: Tokens.ttlFlag,
    dataDir: Settings.dataDirFlag,
    json: Settings.jsonFlag
  },
  ({ dataDir, json, name, roles, tenant, ttl, user }) =>
    Effect.gen(function* () {
      const claims = { sub: user, tenant, roles: roles.length === 0 ? ["user"] : roles }
      const now = yield* DateTime.now
      const token = yield* Tokens.issue({ ...claims, ...(Option.isSome(name) ? { name: name.value } : {}) }, ttl)
      yield* Console.log(json ? encode({ token, expires_at: DateTime.addDuration(now, ttl), ...claims }) : token)
    }).pipe(Effect.provide(Settings.layer({ dataDir })), interruptible)
).pipe(
  Command.withDescription(
    "Print a token that is signed with the secret of the data folder (or BECKON_JWT_SECRET). The server need not run. Exit codes: 0 printed, 1 the secret cannot be read, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Print a token for a user or a service"),
  Command.withExamples([
    { command: "beckon token alice", description: "For the user alice, good for 12 hours" },
    { command: "beckon token shop --role service --ttl 7d --json", description: "For a service that sends, as JSON" }
  ])
)
