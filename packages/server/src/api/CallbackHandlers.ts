/**
 * `/api/v1/callbacks/*`: what providers and devices tell about deliveries afterwards.
 *
 * **Details**
 *
 * The exact bytes are read and checked before anything is decoded. A provider whose secret is not set has no callback. What
 * the store does not take is answered with 503, so that the provider sends it again; known events change nothing. What proves
 * nothing counts against its address as a refused credential does: a wrong signature, an account that nobody has.
 */
import { ByteSize, DateTime, Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import type { HttpServerError } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { BodyTooLarge, maxCallbackBytes } from "@beckon/domain/api/CallbackApi"
import type { ProviderEvent } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import { NotFound, Unauthorized, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { ProviderKind } from "@beckon/domain/ProviderAccount"
import type { CallbackRefused, CallbackRequest } from "@beckon/infra/callbacks/Callback"
import * as PushReceipt from "@beckon/infra/callbacks/PushReceipt"
import * as SendGridCallback from "@beckon/infra/callbacks/SendGridCallback"
import * as TwilioCallback from "@beckon/infra/callbacks/TwilioCallback"
import * as WhatsAppCallback from "@beckon/infra/callbacks/WhatsAppCallback"
import { CallGuard } from "../http/CallGuard.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as AccountCallbacks from "../providers/AccountCallbacks.ts"
import { TenantProviders } from "../providers/TenantProviders.ts"
import { CallbackSettings } from "./CallbackSettings.ts"
import type { CallbackSettingsShape } from "./CallbackSettings.ts"

type Check = (
  request: CallbackRequest
) => Effect.Effect<ReadonlyArray<ProviderEvent>, CallbackRefused | StoreUnavailable>

const maxBodySize = ByteSize.bytes(maxCallbackBytes)

const bodyProblem = ({ reason }: HttpServerError.HttpServerError) =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
    ? new BodyTooLarge({ detail: `body: at most ${maxCallbackBytes} bytes` })
    : new Unavailable({ detail: "The body did not arrive; send it again." })

const bodyOf = (request: HttpServerRequest.HttpServerRequest) =>
  request.arrayBuffer.pipe(
    Effect.map((buffer) => new Uint8Array(buffer)),
    Effect.mapError(bodyProblem),
    Effect.provideService(HttpServerRequest.MaxBodySize, maxBodySize)
  )

const refusals: Readonly<Record<Exclude<CallbackRefused["reason"], "malformed">, string>> = {
  unsigned: "signature: it is missing",
  forged: "signature: it is not good",
  stale: "signature: it is too old, or from the future"
}

const problemOf = ({ reason }: CallbackRefused) =>
  reason === "malformed"
    ? new Unprocessable({ detail: "body: not what this provider sends" })
    : new Unauthorized({ detail: refusals[reason] })

const absent = new NotFound({ detail: "This callback is not set up." })

const whatsAppOf = ({ whatsappAppSecret, whatsappVerifyToken }: CallbackSettingsShape) =>
  whatsappAppSecret === undefined || whatsappVerifyToken === undefined
    ? undefined
    : WhatsAppCallback.make({ appSecret: whatsappAppSecret, verifyToken: whatsappVerifyToken })

/** Twilio signs the address that it calls: without knowing it, nothing can be checked. */
const twilioOf = ({ publicUrl, twilioAuthToken }: CallbackSettingsShape): Check | undefined =>
  twilioAuthToken === undefined || publicUrl === undefined
    ? undefined
    : TwilioCallback.make({ authToken: twilioAuthToken }).events

const receiptsOf = ({ receiptSecrets }: CallbackSettingsShape): Check | undefined =>
  receiptSecrets.length === 0 ? undefined : (request) => PushReceipt.events(receiptSecrets, request)

/** Path and query as they came; the origin is what the proxy before us called, and not what the provider did. */
const targetOf = ({ originalUrl }: HttpServerRequest.HttpServerRequest): string =>
  originalUrl.replace(/^https?:\/\/[^/?#]*/i, "")

/** Fails to build when SendGrid's key is none. */
export const layer = HttpApiBuilder.group(
  BeckonApi,
  "callbacks",
  Effect.fn(function* (handlers) {
    const settings = yield* CallbackSettings
    const store = yield* DeliveryStore
    const providers = yield* TenantProviders
    const guard = yield* CallGuard
    const { publicUrl, sendgridPublicKey } = settings
    const sendGrid =
      sendgridPublicKey === undefined
        ? undefined
        : (yield* SendGridCallback.make({ publicKey: sendgridPublicKey })).events
    const twilio = twilioOf(settings)
    const whatsApp = whatsAppOf(settings)
    const receipts = receiptsOf(settings)
    const origin = publicUrl === undefined ? "" : new URL(publicUrl).origin

    const refusedBy = (refused: CallbackRefused) => Effect.andThen(guard.failed, Effect.fail(problemOf(refused)))

    /** Ids of accounts and names of tenants are not to be tried out. */
    const noAccount = Effect.andThen(guard.failed, Effect.fail(absent))

    const receive = Effect.fnUntraced(function* (
      check: Check | undefined,
      request: HttpServerRequest.HttpServerRequest
    ) {
      if (check === undefined) return yield* absent
      const body = yield* bodyOf(request)
      const called = { url: origin + targetOf(request), headers: request.headers, body }
      const events = yield* Effect.catchTags(check(called), {
        CallbackRefused: refusedBy,
        StoreUnavailable: storeToProblem
      })
      const received = yield* Effect.catch(store.recordEvents(events, yield* DateTime.now), storeToProblem)
      return { data: { received } }
    })

    const accountOf = (
      { account, tenant }: { readonly account: string; readonly tenant: TenantId },
      kind: ProviderKind
    ) =>
      AccountCallbacks.find(tenant, account, kind).pipe(
        Effect.provideService(TenantProviders, providers),
        Effect.provideService(DeliveryStore, store),
        Effect.catchTag("StoreUnavailable", storeToProblem)
      )

    return handlers
      .handleRaw("account", ({ params, request }) =>
        Effect.flatMap(accountOf(params, params.provider), (found) =>
          found === undefined ? noAccount : receive(found.events, request)
        )
      )
      .handle("accountChallenge", ({ params, request }) =>
        Effect.gen(function* () {
          const found = yield* accountOf(params, "whatsapp")
          if (found?.challenge === undefined) return yield* noAccount
          return yield* Effect.catch(found.challenge(request.originalUrl), refusedBy)
        })
      )
      .handleRaw("sendgrid", ({ request }) => receive(sendGrid, request))
      .handleRaw("twilio", ({ request }) => receive(twilio, request))
      .handleRaw("whatsapp", ({ request }) => receive(whatsApp?.events, request))
      .handleRaw("push", ({ request }) => receive(receipts, request))
      .handle("whatsappChallenge", ({ request }) =>
        whatsApp === undefined ? absent : Effect.catch(whatsApp.challenge(request.originalUrl), refusedBy)
      )
  })
)
