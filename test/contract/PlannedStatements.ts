/**
 * What a call sends to the database, and how each statement of it is planned.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import { RowAccess, asTenant } from "@beckon/domain/ports/RowAccess"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CurrentTransformer } from "effect/sql/Statement"

type Compiled = readonly [text: string, parameters: ReadonlyArray<unknown>]

/** The statements that `use` runs, each text once. */
export const record = Effect.fnUntraced(function* <E, R>(use: Effect.Effect<void, E, R>) {
  const statements = new Map<string, Compiled>()
  yield* use.pipe(
    Effect.provideService(CurrentTransformer, (statement) =>
      Effect.sync(() => {
        const [text, parameters] = statement.compile()
        statements.set(text, [text, parameters])
        return statement
      })
    )
  )
  return [...statements.values()]
})

interface PlanNode {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Index Name"?: string
  readonly "Index Cond"?: string
  readonly Plans?: ReadonlyArray<PlanNode>
}
const PlanNode: Schema.Codec<PlanNode> = Schema.Struct({
  "Node Type": Schema.String,
  "Relation Name": Schema.optionalKey(Schema.String),
  "Index Name": Schema.optionalKey(Schema.String),
  "Index Cond": Schema.optionalKey(Schema.String),
  Plans: Schema.optionalKey(Schema.Array(Schema.suspend(() => PlanNode)))
})
const decodePlan = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ Plan: PlanNode })]))

const nodesOf = (node: PlanNode): ReadonlyArray<PlanNode> => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

const planOf = Effect.fnUntraced(function* (rows: ReadonlyArray<object>) {
  const [{ Plan }] = yield* decodePlan(Object.values(rows[0] ?? {})[0])
  return nodesOf(Plan)
})

export const customPlan = Effect.fnUntraced(function* ([text, parameters]: Compiled) {
  const sql = yield* SqlClient
  return yield* planOf(yield* sql.unsafe(`explain (format json) ${text}`, parameters).unprepared)
})

export const genericPlan = Effect.fnUntraced(function* ([text, parameters]: Compiled) {
  const sql = yield* SqlClient
  const nulls = parameters.map(() => "null").join(", ")
  return yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`set local plan_cache_mode = force_generic_plan`
      yield* sql.unsafe(`prepare planned as ${text}`).unprepared
      const rows = yield* sql.unsafe(`explain (format json) execute planned${nulls === "" ? "" : `(${nulls})`}`)
        .unprepared
      yield* sql`deallocate planned`.unprepared
      return yield* planOf(rows)
    })
  )
})

/** Has one row for each purpose of a key, and there is one purpose: it is rightly read as a whole. */
const ofOnePage = "sealed_keys"

export const scans = (nodes: ReadonlyArray<PlanNode>) =>
  nodes
    .filter((node) => node["Node Type"] === "Seq Scan" && node["Relation Name"] !== ofOnePage)
    .map((node) => node["Relation Name"])

// What no call from outside asks for, and users by role, which are asked for as the system: `@>` is not leakproof.
const systemOnly = /\bfrom event_outbox\b|\binto dead_letters\b|\bsealed_keys\b|\bduties\b|\broles @>/

/**
 * Both plans of a statement, for the system and for a tenant: the policies are part of a tenant's plan, and keep operators that
 * are not leakproof away from the indexes.
 */
export const plansOf = (statement: Compiled, tenantId: TenantId) => {
  const plans = [customPlan(statement), genericPlan(statement)]
  return systemOnly.test(statement[0]) ? plans : [...plans, ...plans.map(asTenant(tenantId))]
}

interface Ran {
  readonly text: string
  readonly parameters: ReadonlyArray<unknown>
  readonly access: RowAccess
}

interface Used {
  readonly index: string
  /** What is looked up in it: anything else is read and thrown away. */
  readonly condition: string
}

/** The indexes that a call of a tenant uses: of each statement in turn, planned under the access that it really has. */
export const indexesOfCall = Effect.fnUntraced(function* <A, E, R>(
  tenantId: TenantId,
  call: Effect.Effect<A, E, R>
): Effect.fn.Return<
  ReadonlyArray<ReadonlyArray<Used>>,
  E | Effect.Error<ReturnType<typeof customPlan>>,
  R | SqlClient
> {
  const ran: Array<Ran> = []
  yield* asTenant(tenantId)(call).pipe(
    Effect.provideService(CurrentTransformer, (statement, _, fiber) =>
      Effect.sync(() => {
        const [text, parameters] = statement.compile()
        ran.push({ text, parameters, access: fiber.getRef(RowAccess) })
        return statement
      })
    )
  )
  return yield* Effect.forEach(ran, ({ access, parameters, text }) =>
    Effect.map(Effect.provideService(customPlan([text, parameters]), RowAccess, access), (nodes) =>
      nodes.flatMap(({ "Index Cond": condition = "", "Index Name": index }) =>
        index === undefined ? [] : [{ index, condition }]
      )
    )
  )
})
