/**
 * Who may do what: the scopes, and which role has which. `Authorization` checks it for HTTP, `InboxCalls` for RPC, and
 * OpenAPI shows it.
 *
 * **Details**
 *
 * A caller may do what one of his roles allows. A credential that names scopes (an API key, or a token whose `scope` claim
 * names some of these, RFC 6749 section 3.3) allows no more than they say. Everybody has his own inbox.
 */
import { Context } from "effect"
import type { Identity } from "./Identity.ts"

/** What each scope allows. */
export const scopes = {
  "inbox:read": "Read one's own notifications, preferences and devices.",
  "inbox:write": "Change one's own notifications, preferences and devices.",
  "friendships:read": "List one's own friendships.",
  "friendships:write": "Send, answer and cancel one's own friend requests.",
  "presence:read": "See who is online: users of themselves and their friends, services and admins of the whole tenant.",
  "events:write": "Hand in events.",
  "notifications:read": "Read the notifications of the tenant and what became of them.",
  "notifications:write": "Send, schedule and cancel notifications to users of the tenant.",
  "batches:read": "Read batches and bulk uploads.",
  "batches:write": "Start, pause and cancel batches and bulk uploads.",
  "users:read": "Read the users of the tenant.",
  "users:write": "Create, change and forget users of the tenant.",
  "deliveries:read": "Read deliveries and dead letters.",
  "deliveries:write": "Replay and discard dead letters, cancel and reconcile deliveries.",
  "push_topics:write": "Subscribe devices to push topics and send to them.",
  "templates:read": "Read templates.",
  "templates:write": "Change templates.",
  "routing:read": "Read the routing policy of the tenant.",
  "routing:write": "Change the routing policy of the tenant.",
  "webhooks:read": "Read webhook endpoints and their log.",
  "webhooks:write": "Change webhook endpoints, replay their messages.",
  "lookups:read": "Read lookups.",
  "lookups:write": "Change lookups of the tenant.",
  "providers:read": "Read which accounts with senders the tenant has; never their credentials.",
  "providers:write": "Change the tenant's accounts with senders.",
  "keys:read": "List API keys; never their secrets.",
  "keys:write": "Create, rotate and revoke API keys.",
  "tokens:write": "Revoke the tokens of users of the tenant.",
  "audit:read": "Read the audit log of the tenant.",
  "personal_data:read": "Export all data of one user.",
  "personal_data:write": "Erase all data of one user.",
  "tenant:read": "Read the tenant's own settings.",
  "tenant:write": "Change the tenant's own settings.",
  "tenants:read": "Read every tenant of the deployment.",
  "tenants:write": "Create, change, suspend and remove tenants."
} as const

export type Scope = keyof typeof scopes

export const allScopes: ReadonlyArray<Scope> = Object.keys(scopes).filter((name): name is Scope => name in scopes)

export const isScope = (name: string): name is Scope => Object.hasOwn(scopes, name)

const everybody: ReadonlyArray<Scope> = [
  "inbox:read",
  "inbox:write",
  "friendships:read",
  "friendships:write",
  "presence:read",
  "lookups:read"
]

const service: ReadonlyArray<Scope> = [
  "presence:read",
  "events:write",
  "notifications:read",
  "notifications:write",
  "batches:read",
  "batches:write",
  "users:read",
  "users:write",
  "deliveries:read",
  "deliveries:write",
  "push_topics:write",
  "templates:read",
  "templates:write",
  "routing:read",
  "routing:write",
  "webhooks:read",
  "webhooks:write"
]

const admin: ReadonlyArray<Scope> = [
  ...service,
  "lookups:write",
  "providers:read",
  "providers:write",
  "keys:read",
  "keys:write",
  "tokens:write",
  "audit:read",
  "personal_data:read",
  "personal_data:write",
  "tenant:read",
  "tenant:write"
]

/** What a role adds to what everybody may; a role that is not here adds nothing. `platform` runs the deployment. */
export const grants: Readonly<Record<"user" | "service" | "admin" | "platform", ReadonlyArray<Scope>>> = {
  user: [],
  service,
  admin,
  platform: [...admin, "tenants:read", "tenants:write"]
}

const granted: ReadonlyMap<string, ReadonlySet<Scope>> = new Map(
  Object.entries(grants).map(([role, list]) => [role, new Set(list)])
)
const byEverybody: ReadonlySet<Scope> = new Set(everybody)

/** Whether the caller may do what needs this scope, for his own tenant. */
export const allows = (identity: Pick<Identity, "roles" | "scopes">, scope: Scope): boolean =>
  (identity.scopes === undefined || identity.scopes.includes(scope)) &&
  (byEverybody.has(scope) || identity.roles.some((role) => granted.get(role)?.has(scope) ?? false))

/** The same by a role alone: for what everybody may do with his own things, and such a role with everybody's. */
export const allowsByRole = (identity: Pick<Identity, "roles" | "scopes">, scope: Scope): boolean =>
  (identity.scopes === undefined || identity.scopes.includes(scope)) &&
  identity.roles.some((role) => granted.get(role)?.has(scope) ?? false)

/** The roles that have it, `user` when everybody has it; for the documentation. */
export const rolesWith = (scope: Scope): ReadonlyArray<string> =>
  byEverybody.has(scope)
    ? ["user", "service", "admin", "platform"]
    : Object.entries(grants).flatMap(([role, list]) => (list.includes(scope) ? [role] : []))

/** What a caller is told that may not do what needs this scope. */
export const refusal = (scope: Scope | undefined): string =>
  scope === undefined
    ? "scope: nobody may call this"
    : `scope: this needs ${scope}, which the roles ${rolesWith(scope).join(", ")} have, and which a credential that names scopes must name`

/** What the calls of `InboxRpcs` need; `undefined`: nothing but a credential. */
export const rpcScopes = {
  Subscribe: "inbox:read",
  Acknowledge: "inbox:read",
  MarkRead: "inbox:write",
  MarkUnread: "inbox:write",
  Delete: "inbox:write",
  List: "inbox:read",
  UnreadCount: "inbox:read",
  RegisterDevice: "inbox:write",
  UnregisterDevice: "inbox:write",
  GetPreferences: "inbox:read",
  SetPreferences: "inbox:write",
  RefreshToken: undefined,
  SendNotifications: "notifications:write",
  // `Topic` says what each kind of topic needs.
  Watch: undefined,
  Unwatch: undefined,
  Publish: undefined
} as const satisfies Readonly<Record<string, Scope | undefined>>

export interface Required {
  /** For GET and HEAD. */
  readonly read: Scope
  /** For every other method. */
  readonly write: Scope
}

/**
 * An annotation of an endpoint or a group of `HttpApi`: what a call needs. The endpoint's wins over the group's. An endpoint
 * behind `Authorization` that has neither refuses everybody.
 */
export class RequiredScope extends Context.Service<RequiredScope, Scope | Required>()(
  "@beckon/domain/Policy/RequiredScope"
) {}

/** Which scope a call of this method needs. */
export const scopeFor = (required: Scope | Required, method: string): Scope => {
  if (typeof required === "string") return required
  return method === "GET" || method === "HEAD" ? required.read : required.write
}
