/**
 * Who may act for a tenant: its services and admins. Users have `/api/v1/users/me`.
 */
import { Effect } from "effect"
import { CurrentIdentity, maySend } from "@beckon/domain/Identity"
import type { Identity } from "@beckon/domain/Identity"
import { Forbidden } from "@beckon/domain/Problem"

/** The caller, when he is a service or an admin; `what` says what he is refused otherwise. */
export const requireSender = (what: string): Effect.Effect<Identity, Forbidden, CurrentIdentity> =>
  Effect.filterOrFail(
    CurrentIdentity,
    maySend,
    () => new Forbidden({ detail: `roles: ${what} needs the role service or admin` })
  )
