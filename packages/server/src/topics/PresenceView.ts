/**
 * Who is online, as callers and watchers see it.
 */
import { DateTime, Effect, Schema } from "effect"
import { UserPresence } from "@beckon/domain/api/PresenceApi"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { Presence } from "@beckon/domain/ports/Presence"

export const encode = Schema.encodeSync(Schema.toCodecJson(UserPresence))

/** Since when he is online; when he is not, nobody knows since when. */
export const now = (presence: Presence["Service"], key: MailboxKey) =>
  Effect.map(presence.sessionsOf(key), ([oldest]): UserPresence => ({
    userId: key.userId,
    online: oldest !== undefined,
    since: oldest === undefined ? null : DateTime.makeUnsafe(oldest.at)
  }))
