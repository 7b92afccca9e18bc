/**
 * What providers and clients tell us over HTTP about deliveries, and how it is refused.
 *
 * **Details**
 *
 * A callback is believed only when it is signed: over the body as it came, byte for byte. Who calls is told the reason of a refusal and
 * nothing else.
 */
import type { ProviderEvent } from "@beckon/domain/Delivery"
import { DeliveryId } from "@beckon/domain/Delivery"
import { identifierOf } from "@beckon/domain/Text"
import { Effect, Option, Schema } from "effect"
import { timingSafeEqual } from "node:crypto"
import { storable } from "../http/StorableText.ts"

export interface CallbackRequest {
  /** As the provider wrote it: public origin, path and query, with every character as it came. */
  readonly url: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
}

export class CallbackRefused extends Schema.TaggedError<CallbackRefused>()("CallbackRefused", {
  reason: Schema.Literals([
    /** There is no signature or token. */
    "unsigned",
    /** The signature or the token is not good. */
    "forged",
    /** Signed well, but too long ago, or in the future. */
    "stale",
    /** Not what this provider sends. */
    "malformed"
  ])
}) {
  override get message() {
    return `The callback was refused: ${this.reason}`
  }
}

export const refuse = (reason: CallbackRefused["reason"]): Effect.Effect<never, CallbackRefused> =>
  Effect.fail(new CallbackRefused({ reason }))

/** Compares in a time that does not tell how much is alike; lengths are no secret. */
export const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)

/** UTF-8; what is none becomes U+FFFD. */
export const textOf = (body: Uint8Array): string => Buffer.from(body).toString("utf8")

const decodeDeliveryId = Schema.decodeUnknownOption(DeliveryId)

/** What a provider brings back as our delivery's id; absent when it is none. */
export const deliveryOf = (value: unknown): Pick<ProviderEvent, "deliveryId"> =>
  Option.match(decodeDeliveryId(value), { onNone: () => ({}), onSome: (deliveryId) => ({ deliveryId }) })

/** A name of the provider's that becomes part of an event's key. */
export const KeyPart = identifierOf(200)

export const codeOf = (code: string): string => storable(code, 100)

/** `null` when there is nothing to say. */
export const detailOf = (parts: ReadonlyArray<string | undefined>): string | null => {
  const detail = parts.filter((part) => part !== undefined && part !== "").join(" ")
  return detail === "" ? null : storable(detail, 1_000)
}

/** Leaves out what is broken, and says how many there were: the others count. */
export const keepGood = Effect.fnUntraced(function* (
  provider: string,
  events: ReadonlyArray<ProviderEvent | undefined>
): Effect.fn.Return<ReadonlyArray<ProviderEvent>> {
  const good = events.filter((event) => event !== undefined)
  if (good.length < events.length)
    yield* Effect.logWarning(
      `${events.length - good.length} of ${events.length} events of ${provider} are not understood`
    )
  return good
})
