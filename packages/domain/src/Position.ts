/**
 * Where a client is in its user's stream.
 *
 * **Details**
 *
 * `epoch` names the life of the mailbox: a mailbox that lost its history has another one, and a client that comes with the
 * old epoch is told `recovered: false`. `seq` is the last notification that the client has. `rev` is the last change of
 * state (read, unread, deleted) that it knows; without it a resume brings no changes of older notifications.
 */
import { Schema } from "effect"
import { identifierOf } from "./Text.ts"

/** A count that starts at 0 and grows by one. */
export const Sequence = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

export const Position = Schema.Struct({
  epoch: identifierOf(64),
  seq: Sequence,
  rev: Schema.optionalKey(Sequence)
})
export type Position = typeof Position.Type
