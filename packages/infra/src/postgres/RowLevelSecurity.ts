/**
 * Whose rows a statement can see and write, as the database itself enforces it.
 *
 * **Details**
 *
 * Two roles that nobody logs in with. `beckon_tenant` has the rows of the tenant that its transaction names, in every
 * table that has tenants; `beckon_system` has all rows. The role that logs in owns the tables and is a member of both. By
 * itself it has no rows at all (`FORCE`): a statement that nobody gave a role finds nothing instead of everything.
 *
 * **Gotchas**
 *
 * It contains mistakes in statements, not statements that strangers write: whoever can send any SQL can change the role too.
 * A tenant's setting that has ended reads as an empty text, and not as null.
 */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export const tenantRole = "beckon_tenant"
export const systemRole = "beckon_system"
/** Through this one the login is a member of the others: it can take them, and inherits nothing of them before it does. */
const memberRole = "beckon_member"
/** The setting that holds the tenant, for the length of a transaction. */
export const tenantSetting = "beckon.tenant_id"

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

const roles = `
  create role ${memberRole} noinherit; create role ${tenantRole}; create role ${systemRole};
  grant ${tenantRole}, ${systemRole} to ${memberRole}`

// A role that does not exist is asked for by its number, which is then null.
const isMember = [tenantRole, systemRole]
  .map((role) => `coalesce(pg_has_role(session_user, to_regrole('${role}')::oid, membership), false)`)
  .join(" and ")

// Roles belong to all databases of a server: one that is migrated at the same time may be first.
const ensureRoles = `
do $body$
declare
  statement text;
  membership constant text := case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end;
begin
  if not (${isMember}) then
    foreach statement in array regexp_split_to_array($roles$${roles}$roles$, ';') || format('grant ${memberRole} to %I', session_user) loop
      begin
        execute statement;
      -- Somebody else has just done it; internal_error is "tuple concurrently updated".
      exception when duplicate_object or unique_violation or internal_error then null;
      end;
    end loop;
  end if;
  if not (${isMember}) then
    raise exception 'the login cannot take the roles' using errcode = 'insufficient_privilege';
  end if;
  if exists (
    select from pg_catalog.pg_roles where rolname in ('${tenantRole}', '${systemRole}') and (rolsuper or rolbypassrls)
  ) or pg_has_role('${tenantRole}', '${systemRole}', 'MEMBER') then
    raise exception 'roles ${tenantRole} and ${systemRole} must not bypass row-level security, and not be members of one another';
  end if;
  execute format('grant usage on schema %I to ${tenantRole}, ${systemRole}', current_schema());
end $body$`

const rolesMissing = Effect.fnUntraced(function* (
  sql: SqlClient
): Effect.fn.Return<never, SqlError | DatabaseRolesMissing> {
  const rows = yield* sql<{ readonly login: string }>`select quote_ident(session_user) as login`
  const login = rows[0]?.login ?? ""
  const statements = `${roles.trim().replaceAll(/\s+/g, " ")}; grant ${memberRole} to ${login};`
  return yield* new DatabaseRolesMissing({ login, statements })
})

/** Makes the roles and the login their member, unless an administrator has done so. To be called in a transaction. */
export const createRoles = (sql: SqlClient): Effect.Effect<void, SqlError | DatabaseRolesMissing> =>
  // What fails in the savepoint leaves the transaction able to ask who has logged in.
  sql
    .withTransaction(Effect.asVoid(sql.unsafe(ensureRoles)))
    .pipe(
      Effect.catchTag("SqlError", (error) =>
        error.reason._tag === "AuthorizationError" ? rolesMissing(sql) : Effect.fail(error)
      )
    )

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
  yield* sql`alter table ${name} enable row level security`
  yield* sql`alter table ${name} force row level security`
  yield* sql`
    create policy ${sql(tenantRole)} on ${name} to ${sql(tenantRole)}
    using (${sql.literal(rows)}) with check (${sql.literal(rows)})`
  if (shared !== undefined) {
    yield* sql`create policy beckon_shared on ${name} for select to ${sql(tenantRole)} using (${sql.literal(shared)})`
  }
  // Exactly `true`: any other condition keeps operators that are not leakproof away from the indexes (`@>`, `->>`).
  yield* sql`create policy ${sql(systemRole)} on ${name} to ${sql(systemRole)} using (true)`
  yield* sql`grant ${sql.literal(tenant)} on ${name} to ${sql(tenantRole)}`
  yield* sql`grant ${sql.literal(system)} on ${name} to ${sql(systemRole)}`
})

/** A table without tenants: the system's, and a tenant may do with it what `tenant` says, by default nothing. */
export const reserve = Effect.fnUntraced(function* (
  sql: SqlClient,
  table: string,
  tenant?: string
): Effect.fn.Return<void, SqlError> {
  yield* sql`grant ${sql.literal(everything)} on ${sql(table)} to ${sql(systemRole)}`
  if (tenant !== undefined) yield* sql`grant ${sql.literal(tenant)} on ${sql(table)} to ${sql(tenantRole)}`
})

/** Within the transaction of a migration: sees and changes the rows of all tenants, and nothing but rows. */
export const withAllRows =
  (sql: SqlClient) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> => {
    const become = (role: string) => sql`select set_config('role', ${role}, true)`
    return Effect.andThen(become(systemRole), Effect.tap(effect, become("none")))
  }
