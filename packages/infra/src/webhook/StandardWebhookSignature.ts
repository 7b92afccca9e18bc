/**
 * The headers by which a receiver knows a webhook for genuine (Standard Webhooks 1.0.0).
 *
 * **Details**
 *
 * Every secret signs, so that a receiver may still know only the former one after a rotation.
 */
import { Effect, Redacted, Schema } from "effect"
import { Webhook } from "standardwebhooks"

/** There is no secret, or one that is not `whsec_` and base64. It says nothing of the secret. */
export class SecretUnusable extends Schema.TaggedError<SecretUnusable>()("SecretUnusable", {
  reason: Schema.Literals(["absent", "malformed"])
}) {}

export interface Signed {
  readonly "webhook-id": string
  /** Seconds since 1970. */
  readonly "webhook-timestamp": string
  /** `v1,<base64>`, one for each secret, with spaces between. */
  readonly "webhook-signature": string
}

/** `now` in milliseconds since 1970; `body` is the text whose UTF-8 bytes are sent. */
export const sign = (
  secrets: ReadonlyArray<Redacted.Redacted>,
  id: string,
  body: string,
  now: number
): Effect.Effect<Signed, SecretUnusable> =>
  Effect.suspend(() => {
    if (secrets.length === 0) return Effect.fail(new SecretUnusable({ reason: "absent" }))
    const seconds = Math.floor(now / 1_000)
    return Effect.try({
      try: () => ({
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": secrets
          .map((secret) => new Webhook(Redacted.value(secret)).sign(id, new Date(seconds * 1_000), body))
          .join(" ")
      }),
      catch: () => new SecretUnusable({ reason: "malformed" })
    })
  })
