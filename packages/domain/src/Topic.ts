/**
 * Topics: audiences for messages that are not kept. Their names, and who may watch them and publish to them.
 *
 * **Details**
 *
 * | topic | who watches | who publishes |
 * |---|---|---|
 * | `tracking:driver:{user}` | customers with an active order of that driver, the driver himself, admins | the driver |
 * | `batch:{id}` | `batches:read` | the server |
 * | `presence:{user}` | the user himself, his friends, services and admins | the server |
 * | `presence` | services and admins: everybody of the tenant | the server |
 * | `app:{name}` | everybody of the tenant | who has `notifications:write` |
 *
 * A name is one of the caller's tenant; there is no way to name another tenant's.
 *
 * **Gotchas**
 *
 * Messages come at most once: who is not connected, is too slow, or is on a node that the way between nodes does not reach
 * gets none, and nobody is told. What must arrive is a notification.
 */
import { Schema } from "effect"
import { UserId } from "./Identifiers.ts"
import type { Identity } from "./Identity.ts"
import { allows, allowsByRole } from "./Policy.ts"
import { nonEmptyTextOf } from "./Text.ts"

/** Topics that one socket may watch. */
export const maxWatched = 100

/** Characters of the JSON text of one message. */
export const maxDataLength = 4_096

export const maxNameLength = 256

const grammar = "kind or kind:rest without control characters, such as tracking:driver:42"

/** `kind` or `kind:rest`. */
export const Topic = nonEmptyTextOf(maxNameLength).check(
  Schema.isPattern(/^[a-z]+(:[^\u0000-\u001f\u007f]+)?$/, { expected: grammar })
)
export type Topic = typeof Topic.Type

const isShort = Schema.makeFilter<Schema.Json>((data) => JSON.stringify(data).length <= maxDataLength, {
  expected: `at most ${maxDataLength} characters of JSON`
})

export const TopicData = Schema.Json.check(isShort)

/** What a name means. */
export type Meaning =
  | { readonly _tag: "Driver"; readonly driverId: UserId }
  | { readonly _tag: "Batch"; readonly batchId: string }
  | { readonly _tag: "PresenceOf"; readonly userId: UserId }
  | { readonly _tag: "Presence" }
  | { readonly _tag: "App"; readonly name: string }

const isUserId = Schema.is(UserId)

const rest = (topic: string, prefix: string): string | undefined =>
  topic.startsWith(prefix) && topic.length > prefix.length ? topic.slice(prefix.length) : undefined

/** `undefined`: there is no such kind of topic. */
export const meaningOf = (topic: string): Meaning | undefined => {
  if (topic === "presence") return { _tag: "Presence" }
  const driverId = rest(topic, "tracking:driver:")
  if (driverId !== undefined) return isUserId(driverId) ? { _tag: "Driver", driverId } : undefined
  const userId = rest(topic, "presence:")
  if (userId !== undefined) return isUserId(userId) ? { _tag: "PresenceOf", userId } : undefined
  const batchId = rest(topic, "batch:")
  if (batchId !== undefined) return { _tag: "Batch", batchId }
  const name = rest(topic, "app:")
  return name === undefined ? undefined : { _tag: "App", name }
}

export const driverTopic = (driverId: UserId): string => `tracking:driver:${driverId}`
export const presenceTopic = (userId: UserId): string => `presence:${userId}`
export const batchTopic = (batchId: string): string => `batch:${batchId}`
/** Everybody of the tenant who comes or goes. */
export const everyPresenceTopic = "presence"

/** Who may: all that can be said without asking a store, or what has to be asked. */
export type Decision =
  | { readonly _tag: "Granted" }
  | { readonly _tag: "Refused"; readonly reason: string }
  /** Granted while the two are friends. */
  | { readonly _tag: "AsFriendOf"; readonly userId: UserId }
  /** Granted while the caller has an active order of the driver. */
  | { readonly _tag: "AsCustomerOf"; readonly driverId: UserId }

type Caller = Pick<Identity, "userId" | "roles" | "scopes">

const granted: Decision = { _tag: "Granted" }
const refused = (reason: string): Decision => ({ _tag: "Refused", reason })

export const mayWatch = (caller: Caller, meaning: Meaning): Decision => {
  switch (meaning._tag) {
    case "Batch":
      return allows(caller, "batches:read") ? granted : refused("topic: a batch is watched with the scope batches:read")
    case "Presence":
      return allowsByRole(caller, "presence:read")
        ? granted
        : refused("topic: who of the tenant comes and goes is for services and admins")
    case "PresenceOf":
      if (!allows(caller, "presence:read")) return refused("topic: presence is watched with the scope presence:read")
      return allowsByRole(caller, "presence:read") || caller.userId === meaning.userId
        ? granted
        : { _tag: "AsFriendOf", userId: meaning.userId }
    case "App":
      return allows(caller, "inbox:read") ? granted : refused("topic: app topics are watched with the scope inbox:read")
    case "Driver":
      if (allows(caller, "personal_data:read")) return granted
      if (!allows(caller, "inbox:read")) return refused("topic: a driver is followed with the scope inbox:read")
      return caller.userId === meaning.driverId ? granted : { _tag: "AsCustomerOf", driverId: meaning.driverId }
  }
}

/** Why the caller may not publish, or nothing. */
export const whyNotPublish = (caller: Caller, meaning: Meaning): string | undefined => {
  switch (meaning._tag) {
    case "Batch":
    case "Presence":
    case "PresenceOf":
      return "topic: only the server publishes here"
    case "App":
      return allows(caller, "notifications:write")
        ? undefined
        : "topic: app topics are published to with the scope notifications:write"
    case "Driver":
      return caller.userId === meaning.driverId
        ? whyNotLocate(caller)
        : "topic: only the driver himself publishes his location"
  }
}

/** Why the caller may not tell his location, or nothing. */
export const whyNotLocate = (caller: Caller): string | undefined =>
  caller.roles.includes("driver") && allows(caller, "inbox:write")
    ? undefined
    : "location: only users with the role driver and the scope inbox:write tell theirs"
