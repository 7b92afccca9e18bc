/**
 * Bearer tokens on HTTP (RFC 6750): who calls, or a 401 problem; and whether he may, or a 403 problem (`Policy`).
 */
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import type { CurrentIdentity } from "../Identity.ts"
import { Forbidden, TooManyRequests, Unauthorized, Unavailable } from "../Problem.ts"

export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentIdentity }>()(
  "@beckon/domain/api/Authorization",
  {
    requiredForClient: true,
    // Lower case, as RFC 9110 allows: the interactive page takes another spelling for Basic.
    security: { bearer: HttpApiSecurity.http({ scheme: "bearer" }) },
    error: [Unauthorized, Forbidden, TooManyRequests, Unavailable]
  }
) {}
