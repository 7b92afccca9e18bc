/**
 * Tokens for trying things out: only in embedded mode, only from this machine.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { TenantId, UserId } from "../Identifiers.ts"
import { Role } from "../Identity.ts"
import { NotFound } from "../Problem.ts"
import { textOf } from "../Text.ts"

export const TokenRequest = Schema.Struct({
  sub: UserId,
  tenant: Schema.optionalKey(TenantId),
  roles: Schema.optionalKey(Schema.Array(Role).check(Schema.isMaxLength(64))),
  name: Schema.optionalKey(textOf(256))
})

export class DevApi extends HttpApiGroup.make("dev")
  .add(
    HttpApiEndpoint.post("token", "/token", {
      payload: TokenRequest,
      success: Schema.Struct({ token: Schema.String, expiresAt: Schema.DateTimeUtcFromString }).pipe(
        Schema.encodeKeys({ expiresAt: "expires_at" })
      ),
      error: NotFound
    }).annotateMerge(
      OpenApi.annotations({
        summary: "A token for development",
        description: "Exists only with the embedded database and answers only callers on this machine."
      })
    )
  )
  .prefix("/dev")
  .annotateMerge(OpenApi.annotations({ title: "Development" })) {}
