import type { UserId } from "@beckon/domain/Identifiers"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { User, UserChange } from "@beckon/domain/ports/UserDirectory"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { Array, DateTime, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { texts, timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface ProfileRow {
  readonly ordinal: bigint
  readonly name: string | null
  readonly email: string | null
  readonly image: string | null
}

interface UserRow extends Omit<ProfileRow, "ordinal"> {
  readonly user_id: UserId
  readonly phone: string | null
  readonly language: string | null
  readonly time_zone: string | null
  readonly roles: ReadonlyArray<string>
  readonly updated_at: Date
}

const columns = "u.user_id, u.name, u.email, u.image, u.phone, u.language, u.time_zone, u.roles, u.updated_at"

const toUser = (row: UserRow): User => ({
  userId: row.user_id,
  name: row.name,
  email: row.email,
  image: row.image,
  phone: row.phone,
  language: row.language,
  timeZone: row.time_zone,
  roles: row.roles,
  updatedAt: DateTime.fromDateUnsafe(row.updated_at)
})

/** `column = value`, or `column = column` when the change does not speak of it: one text for every change. */
const assign = (sql: SqlClient, column: string, value: string | null | undefined) =>
  sql`${sql.literal(column)} = case when ${value !== undefined}::boolean
    then ${value ?? null}::text else u.${sql.literal(column)} end`

const assignments = (sql: SqlClient, change: UserChange) =>
  sql.csv([
    assign(sql, "name", change.name),
    assign(sql, "email", change.email),
    assign(sql, "image", change.image),
    assign(sql, "phone", change.phone),
    assign(sql, "language", change.language),
    assign(sql, "time_zone", change.timeZone),
    sql`roles = case when ${change.roles !== undefined}::boolean then ${texts(change.roles ?? [])}::text[] else u.roles end`
  ])

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const all = sql.literal(columns)

  return UserDirectory.of({
    remember: Effect.fn("UserDirectory.remember")(function* (tenantId, profile) {
      const now = yield* DateTime.now
      // Every connection brings a profile and nearly all are known: those write nothing.
      yield* sql`
        insert into users as old (tenant_id, user_id, name, email, image, updated_at)
        values (${tenantId}, ${profile.userId}, ${profile.name}, ${profile.email}, ${profile.image}, ${timestamp(now)})
        on conflict (tenant_id, user_id) do update
        set name = coalesce(excluded.name, old.name), email = coalesce(excluded.email, old.email),
          image = coalesce(excluded.image, old.image), updated_at = excluded.updated_at
        where (old.name, old.email, old.image) is distinct from (
          coalesce(excluded.name, old.name), coalesce(excluded.email, old.email), coalesce(excluded.image, old.image)
        )`
    }, unavailable("UserDirectory.remember")),

    lookup: Effect.fn("UserDirectory.lookup")(function* (tenantId, userIds) {
      if (userIds.length === 0) return []
      const rows = yield* sql<ProfileRow>`
        select k.ordinal, u.name, u.email, u.image
        from unnest(${texts(userIds)}::text[]) with ordinality as k(user_id, ordinal)
        cross join lateral (
          select * from users u where u.tenant_id = ${tenantId} and u.user_id = k.user_id limit 1
        ) u`
      const found = new Map(rows.map(({ ordinal, ...profile }) => [Number(ordinal) - 1, profile]))
      return userIds.map((userId, index) => ({
        userId,
        ...(found.get(index) ?? { name: null, email: null, image: null })
      }))
    }, unavailable("UserDirectory.lookup")),

    create: Effect.fn("UserDirectory.create")(function* (tenantId, userId, user, now) {
      const {
        email = null,
        image = null,
        language = null,
        name = null,
        phone = null,
        roles = [],
        timeZone = null
      } = user
      const rows = yield* sql<UserRow>`
        insert into users as u (tenant_id, user_id, name, email, image, phone, language, time_zone, roles, updated_at)
        values (${tenantId}, ${userId}, ${name}, ${email}, ${image}, ${phone}, ${language}, ${timeZone},
          ${texts(roles)}::text[], ${timestamp(now)})
        on conflict (tenant_id, user_id) do nothing
        returning ${all}`
      return Option.map(Array.head(rows), toUser)
    }, unavailable("UserDirectory.create")),

    update: Effect.fn("UserDirectory.update")(function* (tenantId, userId, change, now) {
      const rows = yield* sql<UserRow>`
        update users u set ${assignments(sql, change)}, updated_at = ${timestamp(now)}
        where u.tenant_id = ${tenantId} and u.user_id = ${userId}
        returning ${all}`
      return Option.map(Array.head(rows), toUser)
    }, unavailable("UserDirectory.update")),

    find: Effect.fn("UserDirectory.find")(function* (tenantId, userIds) {
      if (userIds.length === 0) return []
      const rows = yield* sql<UserRow>`
        select ${all} from unnest(${texts([...new Set(userIds)])}::text[]) as k(user_id)
        cross join lateral (
          select * from users u where u.tenant_id = ${tenantId} and u.user_id = k.user_id limit 1
        ) u`
      return rows.map(toUser)
    }, unavailable("UserDirectory.find")),

    list: Effect.fn("UserDirectory.list")(function* (tenantId, { afterUserId, limit, role }) {
      const having = role === undefined ? sql`true` : sql`u.roles @> ${texts([role])}::text[]`
      // No id is empty, so all come after the empty one.
      const page = sql<UserRow>`
        select ${all} from users u
        where u.tenant_id = ${tenantId} and u.user_id > ${afterUserId ?? ""} and ${having}
        order by u.user_id limit ${limit}`
      // A rare role wants the index of roles and a frequent one that of ids: the plan of a prepared statement knows neither, and
      // would read all users of the tenant for a rare one.
      // As the system: under a tenant's policy `@>`, which is not leakproof, would not use the index of roles.
      const rows = yield* role === undefined ? page : asSystem(page.unprepared)
      return rows.map(toUser)
    }, unavailable("UserDirectory.list")),

    remove: Effect.fn("UserDirectory.remove")(function* (tenantId, userId) {
      const rows = yield* sql`delete from users where tenant_id = ${tenantId} and user_id = ${userId} returning 1`
      return rows.length > 0
    }, unavailable("UserDirectory.remove"))
  })
})

/** Users in PostgreSQL. */
export const layer: Layer.Layer<UserDirectory, never, SqlClient> = Layer.effect(UserDirectory, make)
