/**
 * Asks over HTTP why a connect failed, because a browser does not tell how an upgrade was refused.
 */
import { Effect, Option, Schema } from "effect"

/** `refused`: the token is not good; `forbidden`: it is, but not for this; `unclear`: try again later. */
export type Verdict =
  | { readonly _tag: "Refused" | "Forbidden"; readonly status: number; readonly detail: string }
  | { readonly _tag: "Unclear" }

const unclear: Verdict = { _tag: "Unclear" }

/** RFC 9457, section 3.1. */
const Problem = Schema.Struct({ title: Schema.optional(Schema.String), detail: Schema.optional(Schema.String) })

const decodeProblem = Schema.decodeUnknownOption(Schema.fromJsonString(Problem))

/** Never fails: no answer at all is `Unclear`. */
export const why = (options: {
  readonly url: string
  readonly token: string
  readonly fetch: typeof globalThis.fetch
}): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const response = yield* Effect.tryPromise((signal) =>
      options.fetch(options.url, { headers: { authorization: `Bearer ${options.token}` }, signal })
    )
    const text = yield* Effect.tryPromise(() => response.text())
    const { status } = response
    if (status !== 401 && status !== 403) return unclear
    const problem = decodeProblem(text)
    const detail = Option.getOrUndefined(Option.map(problem, ({ detail, title }) => detail ?? title))
    const verdict: Verdict = {
      _tag: status === 401 ? "Refused" : "Forbidden",
      status,
      detail: detail ?? `the server answered ${status}`
    }
    return verdict
  }).pipe(
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.succeed(unclear) }),
    Effect.catch(() => Effect.succeed(unclear))
  )
