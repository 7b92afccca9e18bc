/**
 * `/api/v1/admin/revocations`: tokens that are refused before they expire.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { UserId } from "../Identifiers.ts"
import { RequiredScope } from "../Policy.ts"
import { Forbidden, Unavailable, Unprocessable } from "../Problem.ts"
import { identifierOf } from "../Text.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf } from "./Paging.ts"

const NewRevocation = Schema.Struct({
  userId: Schema.optionalKey(UserId),
  /** The claim `jti` (RFC 7519 section 4.1.7). */
  tokenId: Schema.optionalKey(identifierOf(256)),
  /** Of the user: tokens that were issued until then; now when absent. */
  before: Schema.optionalKey(Schema.DateTimeUtcFromString),
  /** Of the token: when it expires, so that this is forgotten then; as late as a token can when absent. */
  expiresAt: Schema.optionalKey(Schema.DateTimeUtcFromString)
}).pipe(Schema.encodeKeys({ userId: "user_id", tokenId: "token_id", expiresAt: "expires_at" }))

const RevocationView = Schema.Struct({
  userId: Schema.NullOr(Schema.String),
  tokenId: Schema.NullOr(Schema.String),
  /** Null for a single token. */
  before: Schema.NullOr(Schema.DateTimeUtcFromString),
  expiresAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ userId: "user_id", tokenId: "token_id", expiresAt: "expires_at" }))
export type RevocationView = typeof RevocationView.Type

export class RevocationApi extends HttpApiGroup.make("revocations")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewRevocation,
      success: dataOf(Schema.Array(RevocationView)).pipe(HttpApiSchema.status(201)),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Refuse tokens of a user, or one token",
        description:
          "From now on, on all nodes, until they would have expired; their sockets are closed with 4502. A token that does not say when it was issued is refused with all of its user's."
      })
    )
  )
  .middleware(Authorization)
  .prefix("/api/v1/admin/revocations")
  .annotate(RequiredScope, "tokens:write")
  .annotateMerge(OpenApi.annotations({ title: "Revocations" })) {}
