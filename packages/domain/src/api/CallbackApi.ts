/**
 * What providers and devices tell about deliveries afterwards. No bearer token: each proves itself with a signature over the
 * exact bytes that it sends, so the bodies are read raw.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiError, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TenantId } from "../Identifiers.ts"
import { NotFound, TooManyRequests, Unauthorized, Unavailable, Unprocessable } from "../Problem.ts"
import { ProviderAccountId } from "../ProviderAccount.ts"

/** A body of this many bytes is the largest that is read. */
export const maxCallbackBytes = 1_048_576

export class BodyTooLarge extends HttpApiError.Problem<BodyTooLarge>()("BodyTooLarge", {
  type: "urn:beckon:problem:body-too-large",
  status: 413,
  title: "The body is too large."
}) {}

const failures = [BodyTooLarge, NotFound, TooManyRequests, Unauthorized, Unavailable, Unprocessable] as const

const Received = Schema.Struct({ received: Schema.Int })

/** Kinds of accounts that are called back. */
const CallingBack = Schema.Literals(["sendgrid", "twilio", "whatsapp"])

const accountParams = { tenant: TenantId, account: ProviderAccountId }

const callback = <const Name extends string>(name: Name, summary: string, description: string) =>
  HttpApiEndpoint.post(name, `/${name}`, {
    success: Schema.Struct({ data: Received }),
    error: failures
  }).annotateMerge(OpenApi.annotations({ summary, description }))

export class CallbackApi extends HttpApiGroup.make("callbacks")
  .add(
    callback(
      "sendgrid",
      "SendGrid's Event Webhook",
      "Signed with ECDSA. At most 1 MiB. Answers how many events were new; known ones change nothing."
    ),
    callback(
      "twilio",
      "Twilio's status callback",
      "Signed with X-Twilio-Signature over the public URL. At most 1 MiB. Answers how many events were new."
    ),
    callback(
      "whatsapp",
      "WhatsApp Cloud API's webhook",
      "Signed with X-Hub-Signature-256. At most 1 MiB. Answers how many events were new."
    ),
    callback(
      "push",
      "A device's receipt for a push",
      "Carries the receipt that came with the push. At most 1 MiB. Answers how many events were new."
    ),
    HttpApiEndpoint.post("account", "/:provider/:tenant/:account", {
      params: { provider: CallingBack, ...accountParams },
      success: Schema.Struct({ data: Received }),
      error: failures
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What the provider of a tenant's own account tells",
        description:
          "Signed as those of the deployment's accounts, with the account's own secret. It moves deliveries of this account only. At most 1 MiB."
      })
    ),
    HttpApiEndpoint.get("accountChallenge", "/whatsapp/:tenant/:account", {
      params: accountParams,
      success: Schema.String.pipe(HttpApiSchema.asText()),
      error: [NotFound, TooManyRequests, Unauthorized, Unavailable, Unprocessable]
    }).annotateMerge(OpenApi.annotations({ summary: "WhatsApp's check of the address of a tenant's own account" })),
    HttpApiEndpoint.get("whatsappChallenge", "/whatsapp", {
      success: Schema.String.pipe(HttpApiSchema.asText()),
      error: [NotFound, TooManyRequests, Unauthorized, Unprocessable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "WhatsApp's check of the webhook's address",
        description: "Echoes hub.challenge when hub.verify_token is the one that was set."
      })
    )
  )
  .prefix("/api/v1/callbacks")
  .annotateMerge(OpenApi.annotations({ title: "Callbacks" })) {}
