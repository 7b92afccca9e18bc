/**
 * Whose rows a statement can see and write, as the database itself enforces it.
 *
 * **Details**
 *
 * Two roles that nobody logs in with. One (`…_tenant`) has the rows of the tenant that its transaction names, in every table
 * that has tenants; the other one (`…_system`) has all rows. The role that logs in owns the tables and is a member of both. By
 * itself it has no rows at all (`FORCE`): a statement that nobody gave a role finds nothing instead of everything.
 *
 * Roles belong to all databases of a server. They are named for the database that they are made for, so that the login of
 * another one is no member of them; from then on the policies of the tables say which they are, in a database that was
 * renamed too.
 *
 * **Gotchas**
 *
 * It contains mistakes in statements, not statements that strangers write: whoever can send any SQL can change the role too.
 * A tenant's setting that has ended reads as an empty text, and not as null.
 */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/** The names of the roles of one database. */
export interface DatabaseRoles {
  readonly tenant: string
  readonly system: string
}

const tenantPolicy = "beckon_tenant"
const systemPolicy = "beckon_system"
/** The setting that holds the tenant, for the length of a transaction. */
export const tenantSetting = "beckon.tenant_id"

/** The roles that the tables are protected with, as `tenant` and `system`; no row while they are not. */
export const protectingRoles = `
  select pg_get_userbyid(t.polroles[1])::text as tenant, pg_get_userbyid(s.polroles[1])::text as system
  from pg_catalog.pg_policy t join pg_catalog.pg_policy s on s.polrelid = t.polrelid and s.polname = '${systemPolicy}'
  where t.polrelid = to_regclass('notifications') and t.polname = '${tenantPolicy}'`

/** What the names of a database's roles begin with: twelve digits, since a role's name is cut after 63 bytes. */
const prefix = "'beckon_' || substr(encode(sha256(convert_to(current_database(), 'UTF8')), 'hex'), 1, 12)"

const namesOf = (sql: SqlClient): Effect.Effect<DatabaseRoles & { readonly member: string }, SqlError> =>
  Effect.map(sql.unsafe<{ readonly prefix: string }>(`select ${prefix} as prefix`), ([row]) => ({
    tenant: `${row?.prefix}_tenant`,
    system: `${row?.prefix}_system`,
    member: `${row?.prefix}_member`
  }))

/** The roles of this database: those that protect it, and before that those that will. */
export const rolesOf = (sql: SqlClient): Effect.Effect<DatabaseRoles, SqlError> =>
  Effect.flatMap(sql.unsafe<DatabaseRoles>(protectingRoles), ([row]) =>
    row === undefined ? namesOf(sql) : Effect.succeed(row)
  )

/** The roles are missing, and the role that logs in may not make them. Names no cause: this message is what helps. */
export class DatabaseRolesMissing extends Schema.TaggedError<DatabaseRolesMissing>()("DatabaseRolesMissing", {
  login: Schema.String,
  /** What an administrator of the server has to run once. */
  statements: Schema.String
}) {
  override get message(): string {
    return `The login ${this.login} may not create the roles that keep tenants apart; let an administrator run once: ${this.statements}`
  }
}

type Names = Effect.Success<ReturnType<typeof namesOf>>

/** The login becomes a member through one that inherits nothing: it can take the others, and has nothing of them before. */
const statementsOf = ({ member, system, tenant }: Names): ReadonlyArray<string> => [
  `create role ${member} noinherit`,
  `create role ${tenant}`,
  `create role ${system}`,
  `grant ${tenant}, ${system} to ${member}`
]

const ensureRoles = (names: Names) => {
  const { member, system, tenant } = names
  // A role that does not exist is asked for by its number, which is then null.
  const isMember = [tenant, system]
    .map((role) => `coalesce(pg_has_role(session_user, to_regrole('${role}')::oid, membership), false)`)
    .join(" and ")
  return `
do $body$
declare
  statement text;
  membership constant text := case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end;
begin
  if not (${isMember}) then
    foreach statement in array
      array['${statementsOf(names).join("', '")}'] || format('grant ${member} to %I', session_user)
    loop
      begin
        execute statement;
      -- They are there, or somebody else has just made them; internal_error is "tuple concurrently updated".
      exception when duplicate_object or unique_violation or internal_error then null;
      end;
    end loop;
  end if;
  if not (${isMember}) then
    raise exception 'the login cannot take the roles' using errcode = 'insufficient_privilege';
  end if;
  if exists (
    select from pg_catalog.pg_roles where rolname in ('${tenant}', '${system}') and (rolsuper or rolbypassrls)
  ) or pg_has_role('${tenant}', '${system}', 'MEMBER') then
    raise exception 'roles ${tenant} and ${system} must not bypass row-level security, and not be members of one another';
  end if;
  execute format('grant usage on schema %I to ${tenant}, ${system}', current_schema());
end $body$`
}

const rolesMissing = Effect.fnUntraced(function* (
  sql: SqlClient,
  names: Names
): Effect.fn.Return<never, SqlError | DatabaseRolesMissing> {
  const rows = yield* sql<{ readonly login: string }>`select quote_ident(session_user) as login`
  const login = rows[0]?.login ?? ""
  const statements = `${[...statementsOf(names), `grant ${names.member} to ${login}`].join("; ")};`
  return yield* new DatabaseRolesMissing({ login, statements })
})

/** Makes the roles and the login their member, unless an administrator has done so. To be called in a transaction. */
export const createRoles = Effect.fnUntraced(function* (
  sql: SqlClient
): Effect.fn.Return<void, SqlError | DatabaseRolesMissing> {
  const names = yield* namesOf(sql)
  // What fails in the savepoint leaves the transaction able to ask who has logged in.
  yield* sql
    .withTransaction(Effect.asVoid(sql.unsafe(ensureRoles(names))))
    .pipe(
      Effect.catchTag("SqlError", (error) =>
        error.reason._tag === "AuthorizationError" ? rolesMissing(sql, names) : Effect.fail(error)
      )
    )
})

const currentTenant = `(select nullif(current_setting('${tenantSetting}', true), ''))`

/** Rows of the tenant that the transaction names; none, when it names none. */
const ofTenant = `tenant_id = ${currentTenant}`

export interface Protection {
  /** A condition: the rows of the tenant. Default: those with its `tenant_id`. */
  readonly rows?: string | undefined
  /** A condition: rows that each tenant may read as well. Default: none. */
  readonly shared?: string | undefined
  /** What a tenant may do with its rows. Default: everything. */
  readonly tenant?: string | undefined
  /** What the system may do with all rows. Default: everything. */
  readonly system?: string | undefined
}

const everything = "select, insert, update, delete"

/**
 * Lets each tenant at its own rows of a table only, and the system at all; to be called by the migration that makes the table.
 *
 * **Gotchas**
 *
 * The role that owns the table sees none of its rows: a migration that changes rows needs `withAllRows`.
 */
export const protect = Effect.fnUntraced(function* (
  sql: SqlClient,
  table: string,
  { rows = ofTenant, shared, system = everything, tenant = everything }: Protection = {}
): Effect.fn.Return<void, SqlError> {
  const name = sql(table)
  const roles = yield* rolesOf(sql)
  yield* sql`alter table ${name} enable row level security`
  yield* sql`alter table ${name} force row level security`
  yield* sql`
    create policy ${sql(tenantPolicy)} on ${name} to ${sql(roles.tenant)}
    using (${sql.literal(rows)}) with check (${sql.literal(rows)})`
  if (shared !== undefined) {
    yield* sql`create policy beckon_shared on ${name} for select to ${sql(roles.tenant)} using (${sql.literal(shared)})`
  }
  // Exactly `true`: any other condition keeps operators that are not leakproof away from the indexes (`@>`, `->>`).
  yield* sql`create policy ${sql(systemPolicy)} on ${name} to ${sql(roles.system)} using (true)`
  yield* sql`grant ${sql.literal(tenant)} on ${name} to ${sql(roles.tenant)}`
  yield* sql`grant ${sql.literal(system)} on ${name} to ${sql(roles.system)}`
})

/** A table without tenants: the system's, and a tenant may do with it what `tenant` says, by default nothing. */
export const reserve = Effect.fnUntraced(function* (
  sql: SqlClient,
  table: string,
  options: { readonly tenant?: string | undefined; readonly system?: string | undefined } = {}
): Effect.fn.Return<void, SqlError> {
  const { system = everything, tenant } = options
  const roles = yield* rolesOf(sql)
  yield* sql`grant ${sql.literal(system)} on ${sql(table)} to ${sql(roles.system)}`
  if (tenant !== undefined) yield* sql`grant ${sql.literal(tenant)} on ${sql(table)} to ${sql(roles.tenant)}`
})

/** Within the transaction of a migration: sees and changes the rows of all tenants, and nothing but rows. */
export const withAllRows =
  (sql: SqlClient) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> => {
    const become = (role: string) => sql`select set_config('role', ${role}, true)`
    return Effect.flatMap(rolesOf(sql), ({ system }) =>
      Effect.andThen(become(system), Effect.tap(effect, become("none")))
    )
  }
