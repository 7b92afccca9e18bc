/**
 * The lists that have a cursor: how rows come into each and leave it, how its store is asked for a page, and where the API
 * has it. Those of deliveries and of batches are in files of their own.
 *
 * **Gotchas**
 *
 * All rows have the same time.
 */
import { FriendshipId } from "@beckon/domain/Friendship"
import { NotificationId, TenantId, UserId } from "@beckon/domain/Identifiers"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { PersonalData } from "@beckon/domain/ports/PersonalData"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { DateTime, Effect, Option } from "effect"
import { noon, notification, user } from "./Fixtures.ts"
import type { List, Read, Row } from "./PaginationWalk.ts"

export const never = DateTime.add(noon, { days: 3_000 })

interface Failure {
  readonly _tag: string
}

/** A list of one tenant. */
export interface Listed extends List<Failure, never> {
  /** The store's, as the handlers of the API ask it. */
  readonly read: Read<Failure, never>
  /** Of the API, with its `id` in braces. */
  readonly path: string
  readonly id?: string
  /** Who may read it. */
  readonly role: "user" | "admin" | "platform"
  /** The member of a row that is its key. */
  readonly member: string
}

export const byName = (name: string): Row => ({ key: name, place: name })

/** What the handlers of the API do: one more than asked for tells whether there is another page. */
export const paged =
  <A, E, R>(
    list: (after: string | undefined, limit: number) => Effect.Effect<ReadonlyArray<A>, E, R>,
    keyOf: (row: A) => string,
    cursorOf: (row: A) => string = keyOf
  ): Read<E, R> =>
  (cursor, limit) =>
    Effect.map(list(cursor, limit + 1), (rows) => {
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      return { keys: page.map(keyOf), next: rows.length > limit && last !== undefined ? cursorOf(last) : undefined }
    })

/** Takes away all that is kept of a user, where the storage can. */
export const eraser = Effect.map(Effect.serviceOption(PersonalData), (found) =>
  Option.getOrUndefined(
    Option.map(found, (data) => (tenantId: TenantId, userId: string) => data.erase({ tenantId, userId: user(userId) }))
  )
)

const inbox = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* NotificationStore
  const key = { tenantId, userId: user("ada") }
  yield* store.load([key])
  let seq = 0
  return {
    direction: "descending" as const,
    path: "/api/v1/users/me/notifications",
    role: "user" as const,
    member: "id",
    insert: () =>
      Effect.gen(function* () {
        const row = notification(key, ++seq)
        yield* store.append([row])
        return { key: row.id, place: row.seq }
      }),
    remove: (row: Row) => store.remove(key, [NotificationId.make(row.key)], noon),
    read: paged(
      (before, limit) =>
        Effect.map(
          store.list(key, { status: "all", limit, ...(before === undefined ? {} : { beforeSeq: Number(before) }) }),
          (rows) => rows
        ),
      ({ id }) => id,
      ({ seq }) => String(seq)
    )
  }
})

const allNotifications = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* NotificationStore
  return {
    direction: "descending" as const,
    path: "/api/v1/admin/notifications",
    role: "admin" as const,
    member: "id",
    insert: ({ name }: { readonly name: string }) => {
      // One mailbox each, so that one can be thrown away alone.
      const key = { tenantId, userId: user(name) }
      const row = notification(key, 1, { id: NotificationId.make(`${tenantId}${name}`) })
      return Effect.as(Effect.andThen(store.load([key]), store.append([row])), byName(row.id))
    },
    remove: (row: Row) => store.erase({ tenantId, userId: user(row.key.slice(tenantId.length)) }),
    read: paged(
      (before, limit) =>
        store.listAll(tenantId, {
          status: "all",
          limit,
          ...(before === undefined ? {} : { beforeId: NotificationId.make(before) })
        }),
      ({ notification: { id } }) => id
    )
  }
})

const users = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* UserDirectory
  return {
    direction: "ascending" as const,
    path: "/api/v1/users",
    role: "admin" as const,
    member: "user_id",
    insert: ({ name }: { readonly name: string }) =>
      Effect.as(store.create(tenantId, user(name), {}, noon), byName(name)),
    remove: (row: Row) => store.remove(tenantId, user(row.key)),
    read: paged(
      (after, limit) => store.list(tenantId, { limit, ...(after === undefined ? {} : { afterUserId: user(after) }) }),
      ({ userId }) => userId
    )
  }
})

const templates = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* TemplateStore
  const text = { texts: { default: { title: "t", message: "m" } } }
  return {
    direction: "ascending" as const,
    path: "/api/v1/admin/templates",
    role: "admin" as const,
    member: "code",
    insert: ({ name }: { readonly name: string }) =>
      Effect.as(store.put(tenantId, name, text, true, noon), byName(name)),
    remove: (row: Row) => store.remove(tenantId, row.key),
    read: paged(
      (after, limit) => store.list(tenantId, { limit, ...(after === undefined ? {} : { afterCode: after }) }),
      ({ code }) => code
    )
  }
})

/** The only list that is not of a tenant: its rows bear the tenant's name. */
const tenants = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* TenantStore
  return {
    direction: "ascending" as const,
    path: "/api/v1/admin/tenants",
    role: "platform" as const,
    member: "id",
    insert: ({ name }: { readonly name: string }) => {
      const id = TenantId.make(`${tenantId}:${name}`)
      return Effect.as(store.create({ id, name: "Name", settings: {} }, noon), byName(id))
    },
    remove: (row: Row) => {
      const id = TenantId.make(row.key)
      return Effect.andThen(store.update(id, { status: "suspended" }, undefined, noon), store.remove(id, noon))
    },
    read: paged(
      (after, limit) => store.list({ limit, ...(after === undefined ? {} : { afterId: TenantId.make(after) }) }),
      ({ id }) => id
    )
  }
})

const apiKeys = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* ApiKeyStore
  const common = { tenantId, name: "shop", role: "service", scopes: null, createdBy: "ada", expiresAt: null } as const
  return {
    direction: "descending" as const,
    path: "/api/v1/admin/api-keys",
    role: "admin" as const,
    member: "id",
    insert: ({ name }: { readonly name: string }) =>
      Effect.map(store.create({ ...common, id: `${tenantId}${name}`, hash: new Uint8Array(32) }, noon), ({ id }) =>
        byName(id)
      ),
    // A revoked key stays.
    remove: undefined,
    read: paged(
      (beforeId, limit) => store.list(tenantId, { beforeId, limit }),
      ({ id }) => id
    )
  }
})

const audit = Effect.fnUntraced(function* (tenantId: TenantId) {
  const log = yield* AuditLog
  const entry = {
    tenantId,
    at: noon,
    actor: { kind: "user", id: "ada", roles: ["admin"] },
    action: "template.put",
    target: "template/welcome",
    address: null,
    correlationId: null,
    before: null,
    after: null
  } as const
  return {
    direction: "descending" as const,
    path: "/api/v1/admin/audit",
    role: "admin" as const,
    member: "id",
    insert: ({ name }: { readonly name: string }) => Effect.as(log.append([{ ...entry, id: name }]), byName(name)),
    // Final.
    remove: undefined,
    read: paged(
      (before, limit) => log.list(tenantId, { limit, ...(before === undefined ? {} : { beforeId: before }) }),
      ({ id }) => id
    )
  }
})

const friendships = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* FriendshipStore
  const erase = yield* eraser
  const ada = user("ada")
  const others = new Map<string, string>()
  let made = 0
  return {
    direction: "descending" as const,
    path: "/api/friendships",
    role: "user" as const,
    member: "friendshipId",
    insert: ({ name, number }: { readonly name: string; readonly number: number }) =>
      Effect.gen(function* () {
        const other = UserId.make(`friend ${name}`)
        const id = FriendshipId.make(name)
        const [requesterId, recipientId] = number % 2 === 0 ? [ada, other] : [other, ada]
        others.set(id, other)
        const rest = { status: "PENDING", createdAt: noon, respondedAt: null } as const
        yield* store.insert({ tenantId, id, requesterId, recipientId, ...rest }, [])
        return { key: id, place: ++made }
      }),
    remove: erase === undefined ? undefined : (row: Row) => erase(tenantId, others.get(row.key) ?? ""),
    read: paged(
      (before, limit) =>
        store.list(tenantId, {
          userId: ada,
          limit,
          ...(before === undefined ? {} : { before: Number(before) })
        }),
      ({ id }) => id,
      ({ ordinal }) => String(ordinal)
    )
  }
})

/** Each makes its list for a tenant that has nothing. */
export const lists = {
  inbox,
  allNotifications,
  users,
  templates,
  tenants,
  apiKeys,
  audit,
  friendships
}
