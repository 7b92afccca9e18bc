/**
 * All that is kept of one user, for him to have or to be rid of (GDPR articles 15, 17 and 20).
 *
 * **Details**
 *
 * An inbox is erased through its mailbox (`NotificationStore.erase`); this is everything else. Not a user's own, and kept: the audit
 * log, which says what was done by whom, and dead letters of events, which nobody could read.
 */
import { Context } from "effect"
import type { Effect, Schema, Stream } from "effect"
import type { MailboxKey } from "../MailboxKey.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface PersonalRow {
  /** Where it is kept: `notifications`, `devices`, … */
  readonly part: string
  /** As it is kept, without secrets: a device comes without its token. */
  readonly row: Schema.Json
}

export class PersonalData extends Context.Service<
  PersonalData,
  {
    /** Part after part; each is read page by page, so what changes meanwhile may be there or not. */
    readonly export: (key: MailboxKey) => Stream.Stream<PersonalRow, StoreUnavailable>
    /** Answers how many rows of each part are gone, for parts that had some. Done again, it answers what came meanwhile. */
    readonly erase: (key: MailboxKey) => Effect.Effect<Readonly<Record<string, number>>, StoreUnavailable>
  }
>()("@beckon/domain/ports/PersonalData") {}
