/**
 * What stands between a verified caller and the handler: whether his page may call, how often he may, and whether the call was
 * made before. `Authorization` asks it.
 */
import { Context, Effect, Layer } from "effect"
import { HttpServerRespondable } from "effect/http"
import type { HttpServerResponse } from "effect/http"
import { UnsupportedMediaType } from "@beckon/domain/api/BulkApi"
import type { Identity } from "@beckon/domain/Identity"
import { Forbidden } from "@beckon/domain/Problem"
import type { TooManyRequests } from "@beckon/domain/Problem"
import { Tenants } from "../tenants/Tenants.ts"
import * as Cors from "./Cors.ts"
import { CurrentCall } from "./CurrentCall.ts"
import type { Call } from "./CurrentCall.ts"
import { HttpSettings } from "./HttpSettings.ts"
import { Idempotency } from "./Idempotency.ts"
import { RateLimits } from "./RateLimits.ts"
import type { Told } from "./RateLimits.ts"

export class CallGuard extends Context.Service<
  CallGuard,
  {
    /** After a credential was refused. One that is good passes whatever others of its address showed. */
    readonly failed: Effect.Effect<void, TooManyRequests>
    /** After the caller is known and may do it. An answer when there is nothing left to do. `streamed`: see `StreamedBody`. */
    readonly enter: (
      identity: Identity,
      streamed?: ReadonlyArray<string>
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse | undefined, Forbidden | TooManyRequests>
  }
>()("@beckon/server/http/CallGuard") {
  static readonly layer = Layer.effect(
    CallGuard,
    Effect.gen(function* () {
      const limits = yield* RateLimits
      const tenants = yield* Tenants
      const idempotency = yield* Idempotency
      const settings = yield* HttpSettings

      const follow = (call: Call, { headers, refused }: Told): Effect.Effect<void, TooManyRequests> => {
        Object.assign(call.headers, headers)
        return refused === undefined ? Effect.void : Effect.fail(refused)
      }

      const withAddress = (ask: (address: string | null) => Effect.Effect<Told>) =>
        Effect.flatMap(CurrentCall, (call) =>
          call === undefined ? Effect.void : Effect.flatMap(ask(call.origin.address), (told) => follow(call, told))
        )

      /** The deployment's list stands in while the tenant cannot be read. */
      const checkOrigin = Effect.fnUntraced(function* (call: Call, identity: Identity) {
        const { headers } = call.request
        if (headers["origin"] === undefined) return
        const allowed = yield* tenants.get(identity.tenantId).pipe(
          Effect.map((tenant) => tenant.settings.allowedOrigins ?? settings.allowedOrigins),
          Effect.catch(() => Effect.succeed(settings.allowedOrigins))
        )
        if (Cors.allows(headers["origin"], headers["host"], allowed)) return
        call.refusedOrigin = true
        return yield* new Forbidden({ detail: "origin: the tenant does not allow calls from pages of this origin" })
      })

      /** Before anything of the body is read: it may be as large as the endpoint takes. */
      const checkType = Effect.fnUntraced(function* ({ request }: Call, types: ReadonlyArray<string>) {
        const [type = ""] = (request.headers["content-type"] ?? "").split(";")
        if (types.includes(type.trim().toLowerCase())) return undefined
        return yield* HttpServerRespondable.toResponse(
          new UnsupportedMediaType({ detail: `content-type: ${types.join(" or ")}` })
        )
      })

      return {
        failed: withAddress(limits.failed),
        enter: Effect.fnUntraced(function* (identity, streamed) {
          const call = yield* CurrentCall
          if (call === undefined) return undefined
          call.identity = identity
          call.charge = (tokens) => Effect.flatMap(limits.take(identity, tokens), (told) => follow(call, told))
          yield* checkOrigin(call, identity)
          yield* follow(call, yield* limits.take(identity, 1))
          const refused = streamed === undefined ? undefined : yield* checkType(call, streamed)
          return refused ?? (yield* idempotency.begin(call, identity, { knownInside: streamed !== undefined }))
        })
      }
    })
  )

  /** Lets everybody pass, for tests of what lies behind. */
  static readonly layerOpen: Layer.Layer<CallGuard> = Layer.succeed(CallGuard, {
    failed: Effect.void,
    enter: () => Effect.undefined
  })
}
