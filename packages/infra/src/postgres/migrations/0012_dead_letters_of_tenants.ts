import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { protect } from "../RowLevelSecurity.ts"

/**
 * Whose a dead letter is: a tenant reads its own, and adds and changes none.
 *
 * **Details**
 *
 * `tenant_id` is what the record's header said, and null where nobody can have that name: such a letter is the system's alone.
 */
export const deadLettersOfTenants: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`alter table dead_letters add column tenant_id text collate "C"`
  // Letters keep what jsonb refuses, and then even an operator of json fails: those are nobody's.
  yield* sql`
    do $body$
    declare
      one bigint;
    begin
      for one in select id from dead_letters loop
        begin
          update dead_letters set tenant_id = coalesce(letter -> 'headers' ->> 'tenant', 'default') where id = one;
        exception when untranslatable_character or invalid_text_representation then null;
        end;
      end loop;
    end $body$`
  yield* sql`create index dead_letters_tenant on dead_letters (tenant_id, id)`
  yield* protect(sql, "dead_letters", { tenant: "select" })
})
