/**
 * A POST with an `Idempotency-Key` is carried out once, however often it is sent.
 *
 * **Details**
 *
 * The key is claimed when the caller is known and may do it, and belongs to him. While the call is under way the same call gets
 * 409; afterwards it gets what the first one was answered, with `Idempotency-Replayed: true`; another call under the key gets
 * 422. A call under a key is finished although its client has gone: his next try gets the answer.
 *
 * Answers of 5xx and 429 are not kept, since they ask for another try. Of an answer that is too large to keep, or is a stream, it is
 * kept that it was given: the next try gets 409 and is not carried out.
 *
 * **Gotchas**
 *
 * A node that dies in the middle leaves a claim that ends with its lease, and then the call may be carried out again, as without
 * a key. When the database does not answer nothing is carried out: 503.
 */
import { Context, DateTime, Duration, Effect, Fiber, Layer, Schedule } from "effect"
import type { Scope } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { HttpServerRespondable, HttpServerResponse } from "effect/http"
import type { Identity } from "@beckon/domain/Identity"
import type { BodyTooLarge } from "@beckon/domain/api/CallbackApi"
import { BadRequest, Conflict, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import type { Answer, Claim } from "@beckon/domain/ports/IdempotencyStore"
import { asSystem, asTenant } from "@beckon/domain/ports/RowAccess"
import type { Call } from "./CurrentCall.ts"
import { HttpSettings } from "./HttpSettings.ts"
import * as IdempotencyKey from "./IdempotencyKey.ts"

const header = "idempotency-key"

/** Bytes of an answer that is kept. */
const maxBody = 262_144

/** Headers that belong to what was answered, not to the one who answered. */
const keptHeaders = ["content-type", "location", "link"] as const

const removeEvery = "1 minute"
const removeAtOnce = 500

const saveAgain = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 4 }))

type Response = HttpServerResponse.HttpServerResponse

export const isAsked = ({ headers, method }: Call["request"]): boolean =>
  method === "POST" && headers[header] !== undefined

const bytesOf = ({ body }: Response): Uint8Array | undefined => {
  if (body._tag === "Empty") return new Uint8Array(0)
  return body._tag === "Uint8Array" && body.contentLength <= maxBody ? body.body : undefined
}

const answerOf = Effect.fnUntraced(function* (call: Call, response: Response) {
  const body = bytesOf(response)
  if (body === undefined) {
    const told = yield* HttpServerRespondable.toResponse(
      new Conflict({
        detail: `${header}: the call was carried out and answered with ${response.status}; the answer was too large to be kept`
      })
    )
    return { status: told.status, headers: { "content-type": told.headers["content-type"] ?? "" }, body: bytesOf(told) }
  }
  const headers: Record<string, string> = {}
  for (const name of keptHeaders) {
    const value = response.headers[name]
    if (value !== undefined) headers[name] = value
  }
  if (call.etag !== undefined) headers["etag"] = call.etag
  return { status: response.status, headers, body }
})

const replay = ({ body, headers, status }: Answer): Response => {
  const { "content-type": contentType, ...others } = headers
  const all = { ...others, "idempotency-replayed": "true" }
  return contentType === undefined || body.length === 0
    ? HttpServerResponse.empty({ status, headers: all })
    : HttpServerResponse.uint8Array(body, { status, contentType, headers: all })
}

const callerOf = ({ keyId, userId }: Identity): string => (keyId === undefined ? `user:${userId}` : `key:${keyId}`)

export class Idempotency extends Context.Service<
  Idempotency,
  {
    /**
     * Claims the key of the call. An answer when it is not to be carried out. With `knownInside` the handler knows itself which
     * calls are the same one: it is only looked whether the key is one, and the body is left alone.
     */
    readonly begin: (
      call: Call,
      identity: Identity,
      options?: { readonly knownInside: boolean }
    ) => Effect.Effect<Response | undefined>
    /** Carries a call out, whoever goes meanwhile, and keeps its answer if a key was claimed on the way. */
    readonly complete: <E, R>(call: Call, app: Effect.Effect<Response, E, R>) => Effect.Effect<Response, E, R>
  }
>()("@beckon/server/http/Idempotency") {
  static readonly layer = Layer.effect(
    Idempotency,
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const { answersKeptFor, claimLease } = yield* HttpSettings
      const scope: Scope.Scope = yield* Effect.scope
      const untilLease = Effect.map(DateTime.now, (now) => DateTime.addDuration(now, claimLease))

      const toResponse = (problem: BadRequest | BodyTooLarge | Conflict | Unprocessable | Unavailable) =>
        HttpServerRespondable.toResponse(problem)

      const told = (call: Call, claim: Exclude<Claim, { readonly _tag: "Claimed" }>): Effect.Effect<Response> => {
        switch (claim._tag) {
          case "InProgress":
            call.headers["retry-after"] = "1"
            return toResponse(
              new Conflict({ detail: `${header}: this call is under way; its answer is not known yet` })
            )
          case "OtherCall":
            return toResponse(
              new Unprocessable({ detail: `${header}: was used for another call; a key stands for one call` })
            )
          case "Answered":
            return Effect.succeed(replay(claim.answer))
        }
      }

      const begin = Effect.fn("Idempotency.begin")(function* (call: Call, identity: Identity, knownInside: boolean) {
        const key = IdempotencyKey.parse(call.request.headers[header] ?? "")
        if (key === undefined) return yield* toResponse(new BadRequest({ detail: IdempotencyKey.expectation }))
        if (knownInside) return undefined
        const fingerprint = yield* IdempotencyKey.fingerprintOf(call.request)
        const of = { tenantId: identity.tenantId, caller: callerOf(identity), key }
        const claim = uuidV7Unsafe()
        const now = yield* DateTime.now
        const request = { fingerprint, claim, now, until: DateTime.addDuration(now, claimLease) }
        const known = yield* asTenant(of.tenantId)(store.claim(of, request))
        if (known._tag !== "Claimed") return yield* told(call, known)
        // A beat that is lost is made good by the next one; the lease outlives two.
        const beat = Effect.flatMap(untilLease, (until) => asTenant(of.tenantId)(store.extend(of, claim, until))).pipe(
          Effect.catch((error) => Effect.as(Effect.logDebug("A claim on a key could not be prolonged", error), true))
        )
        const heartbeat = yield* Effect.forkIn(
          Effect.repeat(Effect.delay(beat, Duration.times(claimLease, 1 / 3)), { while: (held) => held }),
          scope
        )
        call.claim = { scope: of, claim, heartbeat }
        return undefined
      }, Effect.uninterruptible)

      const settle = Effect.fn("Idempotency.settle")(function* (call: Call, response: Response | undefined) {
        if (call.claim === undefined) return
        const { claim, heartbeat, scope: of } = call.claim
        yield* Fiber.interrupt(heartbeat)
        if (response === undefined || response.status >= 500 || response.status === 429) {
          return yield* asTenant(of.tenantId)(store.release(of, claim))
        }
        const { body = new Uint8Array(0), headers, status } = yield* answerOf(call, response)
        const keptUntil = DateTime.addDuration(yield* DateTime.now, answersKeptFor)
        const kept = yield* asTenant(of.tenantId)(store.answer(of, claim, { status, headers, body }, keptUntil)).pipe(
          Effect.retry(saveAgain)
        )
        if (!kept) yield* Effect.logWarning("A call took longer than its claim on the key; its answer is not kept")
      })

      const settled = (call: Call, response: Response | undefined) =>
        Effect.catch(settle(call, response), (error) =>
          Effect.logError("The answer of a call with an Idempotency-Key could not be kept", error)
        ).pipe(Effect.annotateLogs(call.identity === undefined ? {} : { tenant: call.identity.tenantId }))

      const removeExpired = Effect.gen(function* () {
        const now = yield* DateTime.now
        yield* Effect.repeat(store.removeExpired(now, removeAtOnce), { while: (removed) => removed >= removeAtOnce })
      }).pipe(
        asSystem,
        Effect.catch((error) => Effect.logWarning("Old idempotency keys could not be removed", error))
      )
      yield* Effect.forkScoped(Effect.repeat(removeExpired, Schedule.spaced(removeEvery)))

      return {
        begin: (call, identity, { knownInside } = { knownInside: false }) =>
          isAsked(call.request)
            ? Effect.catchTags(begin(call, identity, knownInside), {
                StoreUnavailable: (error) =>
                  Effect.andThen(
                    Effect.logWarning("An Idempotency-Key could not be looked up", error),
                    toResponse(new Unavailable({ detail: `${header}: cannot be looked up at the moment; try again` }))
                  ),
                BadRequest: toResponse,
                BodyTooLarge: toResponse
              })
            : Effect.undefined,

        complete: (call, app) =>
          Effect.flatMap(
            Effect.forkIn(
              Effect.onExit(app, (exit) => settled(call, exit._tag === "Success" ? exit.value : undefined)),
              scope
            ),
            // What handles a request waits without being interruptible, and a stop would wait for the handler with it.
            (carriedOut) => Effect.interruptible(Fiber.join(carriedOut))
          )
      }
    })
  )
}
