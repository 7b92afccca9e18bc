/**
 * Commands of the topic `notification-commands`: any notification for any user, and the draft that each becomes.
 *
 * **Details**
 *
 * Whoever may write to the topic may write to every tenant: `tenant` says which, and stands above the record's header.
 */
import { Schema } from "effect"
import { SourceId, TenantId, UserId } from "../Identifiers.ts"
import { limits, NotificationData, NotificationType, Priority, PushPolicy } from "../Notification.ts"
import type { Draft } from "../Notification.ts"
import { nonEmptyTextOf, textOf } from "../Text.ts"

export const topic = "notification-commands"
export const group = "notification-command-group"

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

export const NotificationCommand = Schema.Struct({
  commandId: SourceId,
  tenant: optional(TenantId),
  userId: SourceId.pipe(Schema.decodeTo(UserId)),
  type: NotificationType,
  title: nonEmptyTextOf(limits.title),
  message: textOf(limits.message),
  /** `medium` when absent. */
  priority: optional(Priority),
  data: optional(NotificationData),
  push: optional(PushPolicy),
  /** `command:` and the `commandId` when absent, so that a command that comes twice makes one notification. */
  dedupeKey: optional(nonEmptyTextOf(limits.dedupeKey))
})
export type NotificationCommand = typeof NotificationCommand.Type

/** A command with more or fewer recipients than one does not exist, yet every route answers a list. */
export const toDrafts = (tenantId: TenantId, command: NotificationCommand): ReadonlyArray<Draft> => [
  {
    tenantId: command.tenant ?? tenantId,
    userId: command.userId,
    type: command.type,
    title: command.title,
    message: command.message,
    priority: command.priority ?? "medium",
    ...(command.data === undefined || command.data === null ? {} : { data: command.data }),
    ...(command.push === undefined || command.push === null ? {} : { push: command.push }),
    dedupeKey: command.dedupeKey ?? `command:${command.commandId}`,
    source: topic
  }
]
