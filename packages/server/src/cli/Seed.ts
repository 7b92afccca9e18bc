/**
 * `beckon seed`: what a deployment begins with, in the configured database.
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { SqlClient } from "effect/sql/SqlClient"
import { TenantId } from "@beckon/domain/Identifiers"
import * as Storage from "../layers/Storage.ts"
import * as Seeds from "../seeds/Seeds.ts"
import type { Seeded } from "../seeds/Seeds.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"

const tenantFlag = Flag.String("tenant").pipe(
  Flag.withDescription("Id of the tenant that gets the users and the templates"),
  Flag.withSchema(TenantId),
  Flag.withDefault(TenantId.make("demo"))
)

const dryRunFlag = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Tell what would be written, and write nothing"),
  Flag.withDefault(false)
)

/** Ends a transaction without what it has done. */
class DryRun extends Schema.TaggedError<DryRun>()("DryRun", {}) {}

const inTransaction = Effect.fnUntraced(function* (tenantId: TenantId, dryRun: boolean) {
  const sql = yield* SqlClient
  const seeding = Effect.andThen(Storage.migrate, Seeds.run(tenantId))
  if (!dryRun) return yield* sql.withTransaction(seeding)
  let seeded: Seeded | undefined
  yield* sql
    .withTransaction(
      Effect.flatMap(seeding, (result) => {
        seeded = result
        return new DryRun()
      })
    )
    .pipe(Effect.catchTag("DryRun", () => Effect.void))
  return seeded
})

const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? "" : "s"}`

const linesOf = ({ lookups, templates, tenant, users }: Seeded, tenantId: TenantId, dryRun: boolean): string => {
  const would = dryRun ? "Would write" : "Wrote"
  const ofTenant = {
    made: `${would} the tenant ${tenantId}, ${count(users.length, "user")}, ${count(templates.length, "template")}`,
    kept: `${would} ${count(users.length, "user")} and ${count(templates.length, "template")} of the tenant ${tenantId}`,
    suspended: `The tenant ${tenantId} is suspended: left alone`
  }
  const nothing = tenant === "kept" && lookups.length + users.length + templates.length === 0
  return nothing
    ? "Nothing to do: all of it is there"
    : `${would} ${count(lookups.length, "lookup")}\n${ofTenant[tenant]}`
}

export const command = Command.make(
  "seed",
  { tenant: tenantFlag, dryRun: dryRunFlag, dataDir: Settings.dataDirFlag, json: Settings.jsonFlag },
  ({ dataDir, dryRun, json, tenant }) =>
    Effect.gen(function* () {
      const seeded = yield* inTransaction(tenant, dryRun)
      if (seeded === undefined) return
      yield* Console.log(json ? JSON.stringify({ dryRun, ...seeded }) : linesOf(seeded, tenant, dryRun))
    }).pipe(Effect.provide(Layer.provideMerge(Storage.layerSeeds, Settings.layer({ dataDir }))), interruptible)
).pipe(
  Command.withDescription(
    "Write the lookups of every deployment, and a tenant to try things out with: users, preferences, templates. Again it writes only what is missing; what somebody has changed is never overwritten. Brings the database to this version's schema first: DATABASE_URL, or the embedded one while no server runs on it. Exit codes: 0 done, 1 failed, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Write lookups and a demo tenant"),
  Command.withExamples([
    { command: "beckon seed", description: "Before the first start, and after an upgrade" },
    { command: "beckon seed --tenant acme --dry-run", description: "What would be written into the tenant acme" }
  ])
)
