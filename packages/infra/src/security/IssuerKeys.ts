/**
 * The public keys of one issuer: found by OpenID Connect Discovery 1.0 section 4, kept, and kept up to date.
 *
 * **Details**
 *
 * Keys are read again every five minutes, so that one that the issuer has withdrawn leaves; and at once when a token names a
 * key that is not known, because the issuer has got a new one. However many tokens ask, there is one request at a time, and
 * unknown names cost no more than a few requests in a row and then one every fifteen seconds: names are free to invent.
 *
 * While the issuer does not answer, the keys that it had stay good for a while.
 */
import { Clock, Deferred, Duration, Effect, Option, Schedule, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { HttpClient } from "effect/http"
import { createLocalJWKSet, errors } from "jose"
import type { JWSHeaderParameters, LocalJWKSet } from "jose"

const refreshEvery = Duration.minutes(5)
const retryEvery = Duration.seconds(30)
const requestTimeout = Duration.seconds(5)
const maxAnswerBytes = 262_144

/** Requests in a row for names of keys that are not known; then one for each `budgetRefill`. */
const budgetSize = 4
const budgetRefill = Duration.toMillis(Duration.seconds(15))

/** The issuer's keys are not there: it does not answer, or not as it must. */
export class IssuerUnavailable extends Schema.TaggedError<IssuerUnavailable>()("IssuerUnavailable", {
  issuer: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The keys of ${this.issuer} cannot be read: ${this.reason}`
  }
}

/** The issuer has no such key, or the token does not say which. */
export class KeyUnknown extends Schema.TaggedError<KeyUnknown>()("KeyUnknown", {}) {}

export type VerificationKey = Awaited<ReturnType<LocalJWKSet>>

export interface IssuerKeys {
  readonly find: (header: JWSHeaderParameters) => Effect.Effect<VerificationKey, KeyUnknown | IssuerUnavailable>
}

const Metadata = Schema.Struct({ issuer: Schema.String, jwks_uri: Schema.String })
const decodeMetadata = Schema.decodeUnknownEffect(Schema.fromJsonString(Metadata))

const KeySet = Schema.Struct({ keys: Schema.mutable(Schema.Array(Schema.Record(Schema.String, Schema.Unknown))) })
const decodeKeySet = Schema.decodeUnknownEffect(Schema.fromJsonString(KeySet))

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** https; on this machine http too. */
export const isTrustworthy = (url: URL): boolean =>
  url.protocol === "https:" || (url.protocol === "http:" && loopback.test(url.hostname))

interface Loaded {
  readonly keys: LocalJWKSet
  readonly uri: string
  readonly at: number
}

/** Reads in the background until the scope closes. `issuer` is a URL that `isTrustworthy`. */
export const make = Effect.fnUntraced(function* (
  issuer: string,
  keptThroughOutage: Duration.Duration
): Effect.fn.Return<IssuerKeys, never, HttpClient.HttpClient | Scope.Scope> {
  const client = yield* HttpClient.HttpClient
  const scope = yield* Effect.scope
  let loaded: Loaded | undefined
  let reading: Deferred.Deferred<Loaded, IssuerUnavailable> | undefined
  let budget = budgetSize
  let budgetAt = yield* Clock.currentTimeMillis
  let isOut = false

  const unavailable = (reason: string) => new IssuerUnavailable({ issuer, reason })

  const get = (url: string) =>
    Effect.gen(function* () {
      const response = yield* client.get(url, { headers: { accept: "application/json" } })
      const chunks: Array<Uint8Array> = []
      let bytes = 0
      yield* Stream.runForEach(response.stream, (chunk) => {
        bytes += chunk.length
        chunks.push(chunk)
        return bytes > maxAnswerBytes
          ? Effect.fail(unavailable(`${url} answered more than ${maxAnswerBytes} bytes`))
          : Effect.void
      })
      return response.status === 200
        ? Buffer.concat(chunks).toString("utf8")
        : yield* unavailable(`${url} answered ${response.status}`)
    }).pipe(
      Effect.catchTag("HttpClientError", ({ message }) => Effect.fail(unavailable(message))),
      Effect.timeoutOrElse({
        duration: requestTimeout,
        orElse: () => Effect.fail(unavailable(`${url} took longer than ${Duration.format(requestTimeout)}`))
      }),
      Effect.provideService(HttpClient.TracerPropagationEnabled, false)
    )

  const discover = Effect.gen(function* () {
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`
    const metadata = yield* Effect.mapError(Effect.flatMap(get(url), decodeMetadata), (error) =>
      error._tag === "SchemaError" ? unavailable(`${url}: ${error.message}`) : error
    )
    // Section 4.3: exactly the same, or somebody else answers for it.
    if (metadata.issuer !== issuer) {
      return yield* unavailable(`${url} is about the issuer ${JSON.stringify(metadata.issuer)}`)
    }
    if (!URL.canParse(metadata.jwks_uri) || !isTrustworthy(new URL(metadata.jwks_uri))) {
      return yield* unavailable("its jwks_uri is not https")
    }
    return metadata.jwks_uri
  })

  const read = Effect.fnUntraced(function* (known: string | undefined) {
    const uri = known ?? (yield* discover)
    const set = yield* Effect.mapError(Effect.flatMap(get(uri), decodeKeySet), (error) =>
      error._tag === "SchemaError" ? unavailable(`${uri}: ${error.message}`) : error
    )
    const keys = yield* Effect.try({
      try: () => createLocalJWKSet(set),
      catch: () => unavailable(`${uri}: it is no set of keys`)
    })
    loaded = { keys, uri, at: yield* Clock.currentTimeMillis }
    return loaded
  })

  /** One reading at a time, which goes on when the one who asked leaves. */
  const readOnce = (known?: string): Effect.Effect<Loaded, IssuerUnavailable> =>
    Effect.suspend(() => {
      if (reading !== undefined) return Deferred.await(reading)
      const answer = Deferred.makeUnsafe<Loaded, IssuerUnavailable>()
      reading = answer
      return Effect.flatMap(
        Effect.forkIn(
          Effect.onExit(read(known), (exit) => {
            reading = undefined
            return Deferred.done(answer, exit)
          }),
          scope
        ),
        () => Deferred.await(answer)
      )
    })

  /** Whether one more request may be made now because of a token. */
  const mayAsk = Effect.map(Clock.currentTimeMillis, (now) => {
    const refilled = Math.floor((now - budgetAt) / budgetRefill)
    if (refilled > 0) {
      budget = Math.min(budgetSize, budget + refilled)
      budgetAt += refilled * budgetRefill
    }
    if (budget === 0) return false
    budget -= 1
    return true
  })

  /** Nothing when there is no such key. A token that fits several keys, because it names none, is refused by `jose`. */
  const pick = (keys: LocalJWKSet, header: JWSHeaderParameters) =>
    Effect.tryPromise({
      try: () =>
        keys(header).then(Option.some, (cause: unknown) => {
          if (cause instanceof errors.JWKSNoMatchingKey) return Option.none()
          throw cause
        }),
      catch: () => new KeyUnknown()
    })

  const refresh = readOnce().pipe(
    Effect.flatMap(() => {
      const wasOut = isOut
      isOut = false
      return wasOut ? Effect.logInfo("The issuer of tokens answers again", { issuer }) : Effect.void
    }),
    Effect.as(refreshEvery),
    Effect.catchTag("IssuerUnavailable", (error) => {
      const wasOut = isOut
      isOut = true
      return Effect.as(wasOut ? Effect.void : Effect.logWarning(error.message), retryEvery)
    }),
    Effect.flatMap(Effect.sleep)
  )
  yield* Effect.forkScoped(Effect.repeat(refresh, Schedule.forever))

  return {
    find: Effect.fnUntraced(function* (header) {
      const now = yield* Clock.currentTimeMillis
      const current =
        loaded !== undefined && now - loaded.at < Duration.toMillis(keptThroughOutage) ? loaded : undefined
      const known = current === undefined ? Option.none() : yield* pick(current.keys, header)
      if (Option.isSome(known)) return known.value
      if (reading === undefined && !(yield* mayAsk)) {
        return yield* current === undefined ? unavailable("it did not answer a moment ago") : new KeyUnknown()
      }
      const { keys } = yield* readOnce(current?.uri)
      const found = yield* pick(keys, header)
      return Option.isSome(found) ? found.value : yield* new KeyUnknown()
    })
  }
})
