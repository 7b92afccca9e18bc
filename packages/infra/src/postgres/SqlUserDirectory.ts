import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { DateTime, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { texts, timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface ProfileRow {
  readonly ordinal: bigint
  readonly name: string | null
  readonly email: string | null
  readonly image: string | null
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return UserDirectory.of({
    remember: Effect.fn("UserDirectory.remember")(function* (tenantId, profile) {
      const now = yield* DateTime.now
      // Every connection brings a profile and nearly all are known: those write nothing.
      yield* sql`
        insert into users as old (tenant_id, user_id, name, email, image, updated_at)
        values (${tenantId}, ${profile.userId}, ${profile.name}, ${profile.email}, ${profile.image}, ${timestamp(now)})
        on conflict (tenant_id, user_id) do update
        set name = excluded.name, email = excluded.email, image = excluded.image, updated_at = excluded.updated_at
        where (old.name, old.email, old.image) is distinct from (excluded.name, excluded.email, excluded.image)`
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
    }, unavailable("UserDirectory.lookup"))
  })
})

/** Profiles in PostgreSQL. */
export const layer: Layer.Layer<UserDirectory, never, SqlClient> = Layer.effect(UserDirectory, make)
