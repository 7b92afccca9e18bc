/**
 * What a caller is told whose credential does not let him in.
 */
import type { TokenRefused } from "@beckon/domain/ports/Tokens"
import { Forbidden, Unauthorized, Unavailable } from "@beckon/domain/Problem"

export const toProblem = ({ because, reason }: TokenRefused): Unauthorized | Forbidden | Unavailable => {
  if (because === "suspended") return new Forbidden({ detail: reason })
  return because === "unavailable" ? new Unavailable({ detail: reason }) : new Unauthorized({ detail: reason })
}
