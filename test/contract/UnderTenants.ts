/**
 * Stores as the API has them: each call runs with the rows of the one tenant that its arguments name.
 */
import { TenantId } from "@beckon/domain/Identifiers"
import { RowAccess, asTenant } from "@beckon/domain/ports/RowAccess"
import { Context, Effect, Layer, Redacted, Stream } from "effect"
import { layerServer } from "@beckon/infra/postgres/DatabaseClient"
import { SqlClient } from "effect/sql/SqlClient"
import { startPostgres } from "../../packages/infra/test/postgres/PostgresProcess.ts"

/** Calls so far, by whether they named one tenant. */
export const calls = { tenant: 0, system: 0 }

// `freshTenant` makes these; other texts that come first are ids.
const tenantPattern = /^tenant-\d+$/

const hasTenant = (value: unknown): value is { readonly tenantId: string } =>
  typeof value === "object" && value !== null && "tenantId" in value && typeof value.tenantId === "string"

/** The tenant that a call is about; undefined when it is about none, or about several. */
export const tenantOf = ([first]: ReadonlyArray<unknown>): TenantId | undefined => {
  if (typeof first === "string") return tenantPattern.test(first) ? TenantId.make(first) : undefined
  if (hasTenant(first)) return TenantId.make(first.tenantId)
  if (!Array.isArray(first) || first.length === 0 || !first.every(hasTenant)) return undefined
  const [tenantId, ...others] = new Set(first.map((one) => one.tenantId))
  return tenantId === undefined || others.length > 0 ? undefined : TenantId.make(tenantId)
}

const confined = (store: object): object =>
  new Proxy(store, {
    get: (target, name, receiver) => {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== "function") return member
      return (...args: ReadonlyArray<unknown>) => {
        const result: unknown = Reflect.apply(member, target, args)
        const tenantId = tenantOf(args)
        calls[tenantId === undefined ? "system" : "tenant"]++
        if (tenantId === undefined) return result
        if (Stream.isStream(result)) return Stream.provideService(result, RowAccess, { tenantId })
        return Effect.isEffect(result) ? asTenant(tenantId)(result) : result
      }
    }
  })

/** The same services, every port of the domain confined. */
export const underTenants = <R, E>(stores: Layer.Layer<R, E>): Layer.Layer<R, E> =>
  Layer.effectContext(
    Effect.map(Layer.build(stores), (services) =>
      Context.makeUnsafe<R>(
        new Map(
          [...services.mapUnsafe].map(([key, service]) => [
            key,
            key.startsWith("@beckon/domain/ports/") ? confined(service) : service
          ])
        )
      )
    )
  )

export const ordinaryLogin = "beckon_app"

/** A server where a login without any privilege but to make roles owns the database, as a provider of databases gives one. */
export const ordinaryServer = Effect.fnUntraced(function* (databases: ReadonlyArray<string>, options: string) {
  const { url } = yield* startPostgres
  const administer = <A, E>(use: (sql: SqlClient) => Effect.Effect<A, E>) =>
    Effect.provide(Effect.flatMap(SqlClient, use), layerServer({ url, maxConnections: 1 }))
  yield* administer((sql) =>
    Effect.gen(function* () {
      yield* sql.unsafe(`create role ${ordinaryLogin} login ${options} password 'app-password'`)
      for (const name of databases) yield* sql.unsafe(`create database ${name} owner ${ordinaryLogin}`)
    })
  )
  const urlOf = (database: string) => {
    const mine = new URL(Redacted.value(url))
    mine.username = ordinaryLogin
    mine.password = "app-password"
    mine.pathname = `/${database}`
    return Redacted.make(mine.href)
  }
  return { urlOf, administer }
})

export const layerOrdinary = (maxConnections: number) =>
  Layer.unwrap(
    Effect.map(ordinaryServer(["beckon"], "createrole"), ({ urlOf }) =>
      layerServer({ url: urlOf("beckon"), maxConnections })
    )
  )
