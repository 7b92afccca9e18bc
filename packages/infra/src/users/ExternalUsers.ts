/**
 * Asks a tenant's own service who its users are and how they are reached.
 *
 * **Details**
 *
 * `GET {url}/users?ids=a&ids=b` answers the known ones of at most 100 users; `GET {url}/users?role=driver&limit=500&after=a` a
 * page of them, in ascending order of ids, after that one. Both answer
 * `{ "data": [{ "user_id", "name", "email", "phone", "image", "language", "time_zone", "roles" }] }`; all but `user_id` may be
 * absent or `null`. A field that is not what it should be counts as absent; an answer of another shape is none.
 *
 * The URL is a stranger's: connections go through the guard, no redirect is followed, an answer has a limit in time and size.
 * No error names the URL or the credential.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { Addresses } from "@beckon/domain/DeliveryOptions"
import { UserId } from "@beckon/domain/Identifiers"
import type { User } from "@beckon/domain/ports/UserDirectory"
import * as Salvage from "@beckon/domain/Salvage"
import { identifierOf, nonEmptyTextOf } from "@beckon/domain/Text"
import { TimeZoneName } from "@beckon/domain/TimeZoneName"
import { Clock, Context, Duration, Effect, Layer, Option, Redacted, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { HttpClientError } from "effect/http"
import * as CorrelationId from "../http/CorrelationId.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { refusedCode } from "../webhook/GuardedAgents.ts"
import { OutboundPost } from "../webhook/OutboundPost.ts"

/** Ids of one request. */
export const maxIds = 100

/** The service gave no users. */
export class UserServiceFailed extends Schema.TaggedError<UserServiceFailed>()("UserServiceFailed", {
  code: Schema.Literals(["url_refused", "address_refused", "connection", "timeout", "status", "malformed"]),
  /** Of the answer, where there was one. */
  status: Schema.optionalKey(Schema.Int),
  /** Milliseconds after which the service wants to be asked again. */
  retryAfter: Schema.optionalKey(Schema.Finite),
  /** For people; never with the URL or the credential. */
  detail: Schema.String
}) {
  override get message() {
    return `The user service gave no users: ${this.detail}`
  }
}

export interface UserService {
  /** `/users` is called below it. */
  readonly url: string
  /** For one request, over everything. */
  readonly timeout: Duration.Duration
  /** What goes into `Authorization`. */
  readonly authorization: Option.Option<Redacted.Redacted>
}

export type ExternalUser = Omit<User, "updatedAt">

export interface UserPage {
  readonly role?: string | undefined
  readonly afterUserId?: UserId | undefined
  readonly limit: number
}

export class ExternalUsers extends Context.Service<
  ExternalUsers,
  {
    /** The known ones of these users, 100 at most, in no order. */
    readonly find: (
      service: UserService,
      userIds: ReadonlyArray<UserId>
    ) => Effect.Effect<ReadonlyArray<ExternalUser>, UserServiceFailed>
    /** A page of the users, or of those of a role. */
    readonly list: (
      service: UserService,
      page: UserPage
    ) => Effect.Effect<ReadonlyArray<ExternalUser>, UserServiceFailed>
  }
>()("@beckon/infra/users/ExternalUsers") {
  static readonly layer: Layer.Layer<ExternalUsers, never, OutboundPost> = Layer.unwrap(
    Effect.map(OutboundPost, ({ agents }) =>
      Layer.effect(ExternalUsers, make).pipe(
        Layer.provide(NodeHttpClient.layerNodeHttpNoAgent),
        Layer.provide(Layer.succeed(NodeHttpClient.HttpAgent, agents))
      )
    )
  )
}

/** A page of 500 users with every field at its limit has less. */
const maxAnswerBytes = 4_194_304

const nullable = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const UserAnswer = Schema.Struct({
  userId: UserId,
  name: nullable(nonEmptyTextOf(256)),
  email: nullable(nonEmptyTextOf(320)),
  phone: nullable(Addresses.fields.phone.schema),
  image: nullable(nonEmptyTextOf(2_048)),
  language: nullable(identifierOf(35)),
  timeZone: nullable(TimeZoneName),
  roles: nullable(Schema.Array(identifierOf(64)))
}).pipe(Schema.encodeKeys({ userId: "user_id", timeZone: "time_zone" }))

const decodeAnswer = Schema.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({ data: Schema.Array(Schema.Unknown) }))
)
const decodeUser = Schema.decodeUnknownResult(UserAnswer)

/** What has no id of a user is none. */
const toUsers = (entries: ReadonlyArray<unknown>): ReadonlyArray<ExternalUser> =>
  entries.flatMap((entry): ReadonlyArray<ExternalUser> => {
    const { value } = Salvage.salvage<typeof UserAnswer.Type | undefined>(decodeUser, entry, {}, undefined)
    if (value === undefined) return []
    const { email, image, language, name, phone, roles, timeZone, userId } = value
    return [
      {
        userId,
        name: name ?? null,
        email: email ?? null,
        phone: phone ?? null,
        image: image ?? null,
        language: language ?? null,
        timeZone: timeZone ?? null,
        roles: roles ?? []
      }
    ]
  })

const malformed = (detail: string) => new UserServiceFailed({ code: "malformed", detail })

const codesOf = (cause: unknown, depth = 0): ReadonlyArray<string> => {
  if (!(cause instanceof Error) || depth > 5) return []
  const code = "code" in cause && typeof cause.code === "string" ? [cause.code] : []
  return [...code, ...codesOf(cause.cause, depth + 1)]
}

/** Errors of sockets name addresses: only their code goes on. */
const unanswered = ({ reason }: HttpClientError.HttpClientError): UserServiceFailed => {
  const codes = codesOf("cause" in reason ? reason.cause : undefined)
  if (codes.includes(refusedCode)) {
    const detail = "the host does not lead to a public address"
    return new UserServiceFailed({ code: "address_refused", detail })
  }
  const code = codes.findLast((one) => /^[A-Z][A-Z0-9_]+$/.test(one))
  const detail = `the connection failed${code === undefined ? "" : `: ${code}`}`
  return new UserServiceFailed({ code: "connection", detail })
}

const make = Effect.gen(function* () {
  const client = yield* HttpClient.HttpClient
  const outbound = yield* OutboundPost

  const bodyOf = Effect.fnUntraced(function* <E>(stream: Stream.Stream<Uint8Array, E>) {
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    yield* Stream.runForEach(stream, (chunk) => {
      bytes += chunk.length
      chunks.push(chunk)
      return bytes > maxAnswerBytes
        ? Effect.fail(malformed(`the answer has more than ${maxAnswerBytes} bytes`))
        : Effect.void
    })
    return Buffer.concat(chunks).toString("utf8")
  })

  const ask = Effect.fnUntraced(function* (service: UserService, query: ReadonlyArray<readonly [string, string]>) {
    const url = yield* Effect.mapError(
      outbound.check(service.url),
      ({ code, reason }) => new UserServiceFailed({ code, detail: `the URL is refused: ${reason}` })
    )
    const { correlationId, traceparent } = yield* CallOrigin
    const request = HttpClientRequest.get(new URL(`${url.pathname.replace(/\/+$/, "")}/users`, url)).pipe(
      HttpClientRequest.setUrlParams(query),
      HttpClientRequest.acceptJson,
      HttpClientRequest.setHeaders(CorrelationId.headersOf(correlationId ?? undefined, traceparent)),
      (plain) =>
        Option.match(service.authorization, {
          onNone: () => plain,
          onSome: (value) => HttpClientRequest.setHeader(plain, "authorization", Redacted.value(value))
        })
    )
    const response = yield* client.execute(request)
    if (response.status !== 200) {
      const wait = retryAfterOf(response.headers["retry-after"], yield* Clock.currentTimeMillis)
      return yield* new UserServiceFailed({
        code: "status",
        status: response.status,
        detail: `it answered ${response.status}`,
        ...(wait === undefined ? {} : { retryAfter: Duration.toMillis(wait) })
      })
    }
    const { data } = yield* Effect.mapError(decodeAnswer(yield* bodyOf(response.stream)), () =>
      malformed('the answer is not JSON with the users in "data"')
    )
    return toUsers(data)
  })

  const bounded = (service: UserService, query: ReadonlyArray<readonly [string, string]>) =>
    ask(service, query).pipe(
      Effect.catchTag("HttpClientError", (error) => Effect.fail(unanswered(error))),
      Effect.timeoutOrElse({
        duration: service.timeout,
        orElse: () =>
          Effect.fail(
            new UserServiceFailed({ code: "timeout", detail: `no whole answer in ${Duration.format(service.timeout)}` })
          )
      }),
      Effect.scoped,
      Effect.provideService(HttpClient.TracerPropagationEnabled, false)
    )

  return ExternalUsers.of({
    find: Effect.fn("ExternalUsers.find")(function* (service, userIds) {
      const asked = new Set(userIds.slice(0, maxIds))
      const users = yield* bounded(
        service,
        [...asked].map((userId) => ["ids", userId] as const)
      )
      return users.filter(({ userId }) => asked.has(userId))
    }),

    list: Effect.fn("ExternalUsers.list")(function* (service, { afterUserId, limit, role }) {
      const users = yield* bounded(service, [
        ["limit", String(limit)],
        ...(role === undefined ? [] : [["role", role] as const]),
        ...(afterUserId === undefined ? [] : [["after", afterUserId] as const])
      ])
      // A service that gives the same page for ever would be asked for ever.
      return users.some(({ userId }) => userId === afterUserId)
        ? yield* malformed('the page after a user has this user again: "after" is not understood')
        : users.slice(0, limit)
    })
  })
})
