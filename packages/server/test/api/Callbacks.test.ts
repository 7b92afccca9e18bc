import { assert, layer } from "@effect/vitest"
import { DateTime, Duration, Effect, Exit, Layer, Redacted } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { createHmac, generateKeyPairSync, sign } from "node:crypto"
import { CallbackApi } from "@beckon/domain/api/CallbackApi"
import type { DeliveryChannel } from "@beckon/domain/Delivery"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { receiptOf } from "@beckon/infra/callbacks/PushReceipt"
import { CallGuard } from "../../src/http/CallGuard.ts"
import * as CallbackHandlers from "../../src/api/CallbackHandlers.ts"
import { TenantProviders } from "../../src/providers/TenantProviders.ts"
import { CallbackSettings } from "../../src/api/CallbackSettings.ts"
import type { CallbackSettingsShape } from "../../src/api/CallbackSettings.ts"
import { tenantId } from "../mailbox/Fixture.ts"
import * as MemoryProviderAccountStore from "@beckon/infra/memory/MemoryProviderAccountStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import { FetchHttpClient } from "effect/http"
import { call, layerOf } from "./ApiServer.ts"
import { layerDeliveries } from "./NotificationServices.ts"

const path = "/api/v1/callbacks"
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
const receiptSecret = Redacted.make(new Uint8Array(32).fill(3))

const settings: CallbackSettingsShape = {
  sendgridPublicKey: publicKey.export({ type: "spki", format: "der" }).toString("base64"),
  twilioAuthToken: Redacted.make("twilio-token"),
  whatsappAppSecret: Redacted.make("app-secret"),
  whatsappVerifyToken: Redacted.make("agreed"),
  receiptSecrets: [receiptSecret],
  publicUrl: "https://beckon.example.com/"
}

const api = HttpApi.make("beckon").add(CallbackApi).middleware(HttpApiMiddleware.ProblemDetails)

/** Accounts of tenants, and none of the deployment. */
const layerAccounts = Layer.unwrap(
  Effect.map(OutboundPost, (outbound) => TenantProviders.layer({ outbound, publicUrl: undefined }, () => true))
).pipe(
  Layer.provideMerge(MemoryProviderAccountStore.layer),
  Layer.provide([
    OutboundPost.layer(),
    FetchHttpClient.layer,
    MemoryTopicBus.layer,
    Layer.succeed(ChannelProviders, { push: [], email: [], sms: [], whatsapp: [], webhook: [] })
  ])
)

/** Refused proofs that were counted against their address. */
let counted = 0

const layerGuard = Layer.succeed(CallGuard, {
  failed: Effect.sync(() => void (counted += 1)),
  enter: () => Effect.undefined
})

const servedWith = (given: Partial<CallbackSettingsShape>) =>
  layerOf(api, CallbackHandlers.layer.pipe(Layer.provide([CallbackSettings.layer(given), layerGuard]))).pipe(
    Layer.provideMerge(layerAccounts),
    Layer.provideMerge(layerDeliveries)
  )

/** A delivery that its provider has taken under this id. */
const sent = Effect.fnUntraced(function* (channel: DeliveryChannel, provider: string, providerMessageId: string) {
  const store = yield* DeliveryStore
  const now = yield* DateTime.now
  yield* store.add(
    [
      {
        tenantId,
        userId: UserId.make("ann"),
        delivery: { channel, target: { _tag: "User" }, condition: "always", urgency: 5, dueAt: now },
        content: {}
      }
    ],
    now
  )
  const [claimed] = yield* store.claim({
    channels: [channel],
    limit: 1,
    now,
    lease: Duration.minutes(1),
    worker: "test"
  })
  if (claimed === undefined) return yield* Effect.die("nothing to claim")
  const { attempt, delivery } = claimed
  yield* store.report(
    [{ id: delivery.id, attempt, attempts: [], result: { _tag: "Sent", provider, providerMessageId } }],
    now
  )
  return delivery.id
})

const stateOf = (id: Effect.Success<ReturnType<typeof sent>>) =>
  Effect.flatMap(DeliveryStore, (store) =>
    Effect.map(store.get(tenantId, id), (found) => (found._tag === "Some" ? found.value.state : undefined))
  )

const post = (name: string, body: string, headers: Record<string, string> = {}, type = "application/json") =>
  call(`${path}/${name}`, { raw: { body, type }, headers, as: null })

const fromSendGrid = (body: string, at: number) => {
  const signature = sign("sha256", Buffer.from(`${at}${body}`), privateKey).toString("base64")
  return post("sendgrid", body, {
    "x-twilio-email-event-webhook-signature": signature,
    "x-twilio-email-event-webhook-timestamp": String(at)
  })
}

const inSeconds = Effect.map(DateTime.now, ({ epochMilliseconds }) => Math.floor(epochMilliseconds / 1_000))

layer(servedWith(settings), { excludeTestServices: true, timeout: "60 seconds" })("callbacks", (it) => {
  it.effect("of SendGrid move a delivery once, over the bytes as they came", () =>
    Effect.gen(function* () {
      const now = yield* inSeconds
      const id = yield* sent("email", "sendgrid", "mail-1")
      const event = { event: "delivered", sg_event_id: "e1", timestamp: now, delivery_id: id, text: "ø 👋" }
      const body = JSON.stringify([event], null, 2)
      const first = yield* fromSendGrid(body, now)
      assert.deepStrictEqual([first.status, first.body], [200, { data: { received: 1 } }])
      assert.strictEqual(yield* stateOf(id), "delivered")
      assert.deepStrictEqual((yield* fromSendGrid(body, now)).body, { data: { received: 0 } })
      const stale = yield* fromSendGrid(body, now - 100_000)
      assert.deepStrictEqual([stale.status, stale.body.detail], [401, "signature: it is too old, or from the future"])
      assert.strictEqual((yield* fromSendGrid("{}", now)).status, 422)
      assert.deepStrictEqual((yield* post("sendgrid", body)).body.detail, "signature: it is missing")
    })
  )

  it.effect("of Twilio are checked with the public address that it called", () =>
    Effect.gen(function* () {
      const id = yield* sent("sms", "twilio", "SM1")
      const form = { MessageSid: "SM1", MessageStatus: "delivered", To: "+4915112345678" }
      const called = `twilio?d=${id}`
      const fields = Object.entries(form)
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([name, value]) => name + value)
        .join("")
      const signature = createHmac("sha1", "twilio-token")
        .update(`https://beckon.example.com${path}/${called}${fields}`)
        .digest("base64")
      const answer = yield* post(
        called,
        new URLSearchParams(form).toString(),
        { "x-twilio-signature": signature },
        "application/x-www-form-urlencoded"
      )
      assert.deepStrictEqual([answer.status, answer.body], [200, { data: { received: 1 } }])
      assert.strictEqual(yield* stateOf(id), "delivered")
      const other = new URLSearchParams({ ...form, MessageStatus: "failed" }).toString()
      const forged = yield* post(
        called,
        other,
        { "x-twilio-signature": signature },
        "application/x-www-form-urlencoded"
      )
      assert.deepStrictEqual([forged.status, forged.body.detail], [401, "signature: it is not good"])
      assert.strictEqual(yield* stateOf(id), "delivered")
    })
  )

  it.effect("of WhatsApp answer the challenge, and move a delivery", () =>
    Effect.gen(function* () {
      const challenge = (token: string) =>
        call(`${path}/whatsapp?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`, { as: null })
      const asked = yield* challenge("agreed")
      assert.deepStrictEqual([asked.status, asked.text], [200, "1158201444"])
      assert.match(asked.type, /^text\/plain/)
      assert.strictEqual((yield* challenge("guessed")).status, 401)
      const id = yield* sent("whatsapp", "whatsapp", "wamid.1")
      const status = { id: "wamid.1", status: "read", timestamp: String(yield* inSeconds) }
      const body = JSON.stringify({ entry: [{ changes: [{ value: { statuses: [status] } }] }] })
      const signature = createHmac("sha256", "app-secret").update(body).digest("hex")
      const told = yield* post("whatsapp", body, { "x-hub-signature-256": `sha256=${signature}` })
      assert.deepStrictEqual([told.status, told.body], [200, { data: { received: 1 } }])
      assert.strictEqual(yield* stateOf(id), "seen")
      assert.strictEqual(
        (yield* post("whatsapp", `${body} `, { "x-hub-signature-256": `sha256=${signature}` })).status,
        401
      )
    })
  )

  it.effect("of a tenant's own account are checked with its secret, and move deliveries of that account only", () =>
    Effect.gen(function* () {
      const accounts = yield* ProviderAccountStore
      const now = yield* DateTime.now
      const account = (tenant: string, id: string, secret: string) =>
        accounts.create(
          TenantId.make(tenant),
          id,
          {
            kind: "whatsapp",
            name: id,
            order: 0,
            enabled: true,
            settings: { phone_number_id: "1" },
            rate: null,
            credentials: Redacted.make(
              JSON.stringify({ access_token: "t", app_secret: secret, verify_token: `v-${id}` })
            )
          },
          now
        )
      yield* account(tenantId, "own", "own-secret")
      yield* account("globex", "other", "other-secret")
      const tell = Effect.fnUntraced(function* (where: string, secret: string, id: string, message: string) {
        const status = {
          id: message,
          status: "read",
          timestamp: String(yield* inSeconds),
          biz_opaque_callback_data: id
        }
        const body = JSON.stringify({ entry: [{ changes: [{ value: { statuses: [status] } }] }] })
        const signature = createHmac("sha256", secret).update(body).digest("hex")
        return yield* post(where, body, { "x-hub-signature-256": `sha256=${signature}` })
      })
      const id = yield* sent("whatsapp", "whatsapp:own", "wamid.own")
      assert.strictEqual((yield* tell("whatsapp/globex/other", "own-secret", id, "wamid.own")).status, 401)
      // Globex knows the secret of its account, and nothing of this delivery moves.
      assert.strictEqual((yield* tell("whatsapp/globex/other", "other-secret", id, "wamid.own")).status, 200)
      assert.strictEqual(yield* stateOf(id), "sent")
      assert.strictEqual((yield* tell(`whatsapp/${tenantId}/other`, "other-secret", id, "wamid.own")).status, 404)
      assert.strictEqual((yield* tell(`twilio/${tenantId}/own`, "own-secret", id, "wamid.own")).status, 404)
      // Nor what another account of the same deployment has sent.
      const shared = yield* sent("whatsapp", "whatsapp", "wamid.shared")
      assert.strictEqual((yield* tell(`whatsapp/${tenantId}/own`, "own-secret", shared, "wamid.shared")).status, 200)
      assert.strictEqual(yield* stateOf(shared), "sent")
      assert.deepStrictEqual((yield* tell(`whatsapp/${tenantId}/own`, "own-secret", id, "wamid.own")).body, {
        data: { received: 1 }
      })
      assert.strictEqual(yield* stateOf(id), "seen")
      const challenge = (token: string) =>
        call(`${path}/whatsapp/${tenantId}/own?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=42`, {
          as: null
        })
      assert.strictEqual((yield* challenge("v-own")).text, "42")
      assert.strictEqual((yield* challenge("agreed")).status, 401)
    })
  )

  it.effect("of devices need the receipt that came with the push", () =>
    Effect.gen(function* () {
      const id = yield* sent("push", "fcm", "push-1")
      const tell = (receipt: string) => post("push", JSON.stringify({ delivery_id: id, receipt, event: "opened" }))
      assert.strictEqual((yield* tell("guessed")).status, 401)
      assert.strictEqual(yield* stateOf(id), "sent")
      assert.deepStrictEqual((yield* tell(receiptOf(receiptSecret, id))).body, { data: { received: 1 } })
      assert.strictEqual(yield* stateOf(id), "seen")
      assert.strictEqual((yield* post("push", "[]")).status, 422)
    })
  )

  it.effect("count against their address when they prove nothing, or name an account that is none", () =>
    Effect.gen(function* () {
      counted = 0
      const forged = yield* post("whatsapp", "{}", { "x-hub-signature-256": `sha256=${"0".repeat(64)}` })
      assert.deepStrictEqual([forged.status, counted], [401, 1])
      const nobodys = yield* post(`whatsapp/made-up/01a00000-0000-7000-8000-000000000000`, "{}")
      assert.deepStrictEqual([nobodys.status, counted], [404, 2])
    })
  )

  it.effect("are read up to 1 MiB", () =>
    Effect.gen(function* () {
      const body = "x".repeat(1_048_577)
      for (const name of ["sendgrid", "twilio", "whatsapp", "push"]) {
        const large = yield* post(name, body)
        assert.strictEqual(large.status, 413, name)
        assert.deepInclude(large.body, {
          type: "urn:beckon:problem:body-too-large",
          detail: "body: at most 1048576 bytes"
        })
      }
      const largest = yield* post("push", body.slice(1))
      assert.strictEqual(largest.status, 422)
    })
  )
})

layer(servedWith({}), { excludeTestServices: true, timeout: "60 seconds" })("callbacks that are not set up", (it) => {
  it.effect("are not there", () =>
    Effect.gen(function* () {
      for (const name of ["sendgrid", "twilio", "whatsapp", "push"]) {
        const answer = yield* post(name, "{}")
        assert.deepStrictEqual([answer.status, answer.body.detail], [404, "This callback is not set up."], name)
      }
      assert.strictEqual((yield* call(`${path}/whatsapp?hub.mode=subscribe`, { as: null })).status, 404)
    })
  )

  it.effect("with a key that is none do not start", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(servedWith({ sendgridPublicKey: "AAAA" }))))
      assert.match(Exit.isFailure(exit) ? String(exit.cause) : "", /SendGridKeyInvalid|not a P-256 key/)
    })
  )
})
