/**
 * Every channel beyond the socket through the real program: each sentence starts with a request and ends at the sender's door.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { Webhook } from "standardwebhooks"
import { parse } from "../../../packages/infra/test/email/SmtpFixture.ts"
import type { Answer } from "../road/Road.ts"
import * as Callbacks from "./Callbacks.ts"
import { ask, json, Services, tenantOf, until } from "./Services.ts"
import type { Loopback, Seen, Tenant } from "./Services.ts"

type Body = Answer["body"]

const bodyOf = ({ body }: Seen): Body => JSON.parse(body)

const mailsTo = (address: string) => Effect.map(Services, ({ sendgrid }) => sendgrid.of(address).map(bodyOf))

const contentOf = (mail: Body, type: string): string =>
  mail.content.find((part: Body) => part.type === type)?.value ?? ""

const down = json(500, { errors: [{ message: "out of order" }] })

const inHours = (hours: number, from: number) => new Date(Math.floor(from / 60_000) * 60_000 + hours * 3_600_000)

const attemptsOf = (delivery: Body): ReadonlyArray<readonly [attempt: number, provider: string, outcome: string]> =>
  delivery.history
    .filter((entry: Body) => entry.kind === "attempt")
    .map((entry: Body) => [entry.attempt, entry.provider, entry.outcome])

/** An endpoint at a path of its own, with its first secret. */
const endpointOf = Effect.fnUntraced(function* ({ api, tenant }: Tenant, events: ReadonlyArray<string>) {
  const { hooks, secrets } = yield* Services
  const path = `/${tenant}`
  const { id, secret } = yield* api("/webhooks", { body: { url: hooks.url + path, events } })
  secrets.add(String(secret))
  return { id: String(id), secret: String(secret), path }
})

const isSignedBy = (secret: string, { body, headers }: Seen): boolean => {
  const signed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  try {
    new Webhook(secret).verify(body, signed)
    return true
  } catch {
    return false
  }
}

const arrived = (at: Loopback, recipient: string, count: number) =>
  until(
    Effect.sync(() => at.of(recipient)),
    ({ length }) => length >= count
  )

const every = ["notification.created", "delivery.sent", "delivery.delivered", "delivery.seen", "delivery.dead"]

const permutations = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.length === 0
    ? [[]]
    : items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))

layer(Services.layer, { timeout: "60 seconds", excludeTestServices: true })("channels", (it) => {
  it.effect(
    "an email has its template's words in the user's language, in html and text, and a way to unsubscribe",
    () =>
      Effect.gen(function* () {
        const { api, delivery, notify, status, user } = yield* tenantOf("words")
        yield* api("/admin/templates", {
          body: {
            code: "parcel",
            texts: {
              default: { title: "Parcel", message: "For {{ name }}" },
              de: {
                title: "Paket",
                message: "Für {{ name }}",
                email: {
                  subject: "Ein Paket für {{ name }}",
                  text: "Hallo {{ name }}, es ist da.",
                  html: "<p>Hallo <b>{{ name }}</b>, es ist da.</p>"
                }
              }
            }
          }
        })
        yield* user("ada", { email: "ada@words.example", language: "de-AT" })
        const id = yield* notify({
          user_id: "ada",
          title: undefined,
          message: undefined,
          template_code: "parcel",
          variables: { name: "Ada & <Söhne>" },
          channels: ["email"],
          email_options: { unsubscribe_url: "https://words.example/stop?u=ada" }
        })
        const { id: deliveryId, provider } = yield* delivery(id, "email", "sent")
        assert.strictEqual(provider, "sendgrid")
        assert.deepInclude(yield* status(id), { title: "Paket", message: "Für Ada & <Söhne>" })
        const [mail, ...others] = yield* mailsTo("ada@words.example")
        assert.lengthOf(others, 0)
        assert.strictEqual(mail.subject, "Ein Paket für Ada & <Söhne>")
        assert.strictEqual(contentOf(mail, "text/plain"), "Hallo Ada & <Söhne>, es ist da.")
        assert.include(contentOf(mail, "text/html"), "<b>Ada &amp; &lt;Söhne&gt;</b>")
        assert.strictEqual(mail.headers["List-Unsubscribe"], "<https://words.example/stop?u=ada>")
        assert.strictEqual(mail.headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
        assert.strictEqual(mail.personalizations[0].custom_args.delivery_id, deliveryId)
      })
  )

  it.effect("SendGrid's news lead to seen in whatever order they come, twice too, and a forger's lead nowhere", () =>
    Effect.gen(function* () {
      const { api, delivery, notify, user } = yield* tenantOf("news")
      yield* user("ada", { email: "ada@news.example" })
      const get = (id: string) => api(`/deliveries/${id}`)
      const sent = Effect.gen(function* () {
        const id = yield* notify({ user_id: "ada", channels: ["email"] })
        return yield* delivery(id, "email", "sent")
      })

      const target = yield* sent
      const seen = [Callbacks.sendGridEvent("open", { delivery_id: target.id })]
      const other = [Callbacks.sendGridEvent("bounce", { delivery_id: target.id })]
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
      assert.strictEqual((yield* Callbacks.sendGrid(seen, { key: privateKey })).status, 401)
      assert.strictEqual((yield* Callbacks.sendGrid(seen, { sent: other })).status, 401)
      assert.strictEqual((yield* ask("/api/v1/callbacks/sendgrid", { body: seen })).status, 401)
      const untouched = yield* get(target.id)
      assert.strictEqual(untouched.state, "sent")
      assert.deepStrictEqual(
        untouched.history.map(({ kind }: Body) => kind),
        ["attempt"]
      )

      // One after the other: the state follows, and never goes back.
      const delivered = Callbacks.sendGridEvent("delivered", { delivery_id: target.id })
      assert.deepStrictEqual((yield* Callbacks.sendGrid([delivered])).body, { data: { received: 1 } })
      assert.strictEqual((yield* get(target.id)).state, "delivered")
      assert.deepStrictEqual((yield* Callbacks.sendGrid([...seen, delivered])).body, { data: { received: 1 } })
      assert.strictEqual((yield* get(target.id)).state, "seen")
      assert.deepStrictEqual((yield* Callbacks.sendGrid([delivered])).body, { data: { received: 0 } })
      assert.strictEqual((yield* get(target.id)).state, "seen")

      yield* Effect.forEach(permutations(["processed", "delivered", "open"]), (order) =>
        Effect.gen(function* () {
          const { id, provider_message_id } = yield* sent
          // Only the first names the delivery; the others are known by SendGrid's name of the message.
          const batch = order.map((event, index) =>
            Callbacks.sendGridEvent(event, {
              sg_message_id: `${provider_message_id}.filter0001.16648.5515E0B88.0`,
              ...(index === 0 ? { delivery_id: id } : {})
            })
          )
          for (const event of [...batch, ...batch]) {
            assert.strictEqual((yield* Callbacks.sendGrid([event])).status, 200)
          }
          const { history, state } = yield* get(id)
          assert.strictEqual(state, "seen", order.join(", "))
          const events = history.filter(({ kind }: Body) => kind === "event").map(({ code }: Body) => code)
          assert.sameMembers(events, order.slice())
        })
      )
    })
  )

  it.effect("SMTP takes an email in the same try when SendGrid is out of order, and both tries are told", () =>
    Effect.gen(function* () {
      const { sendgrid, smtp } = yield* Services
      const { delivery, notify, user } = yield* tenantOf("standin")
      const address = "ada@standin.example"
      sendgrid.moods.set(address, json(503, {}))
      yield* user("ada", { email: address })
      const id = yield* notify({ user_id: "ada", title: "Stand-in", channels: ["email"] })
      const sent = yield* delivery(id, "email", "sent")
      assert.deepInclude(sent, { provider: "smtp", attempts: 1, failures: 0 })
      assert.deepStrictEqual(attemptsOf(sent), [
        [1, "sendgrid", "transient"],
        [1, "smtp", "sent"]
      ])
      const [mail, ...others] = smtp.of(address)
      assert.lengthOf(others, 0)
      const { headers } = parse(mail?.raw ?? "")
      assert.strictEqual(headers.get("subject"), "Stand-in")
      assert.strictEqual(headers.get("message-id"), `<${sent.id}@example.com>`)
      assert.strictEqual(mail?.secure, true)
    })
  )

  it.effect("SMTP takes emails while SendGrid refuses the credentials, which raises an alarm", () =>
    Effect.gen(function* () {
      const { planted, running, sendgrid, smtp } = yield* Services
      const { delivery, notify, user } = yield* tenantOf("alarm")
      const address = "ada@alarm.example"
      sendgrid.moods.set(address, json(401, { errors: [{ message: `The grant ${planted.sendgrid} is invalid` }] }))
      yield* user("ada", { email: address })
      const first = yield* delivery(yield* notify({ user_id: "ada", channels: ["email"] }), "email", "sent")
      assert.deepStrictEqual(attemptsOf(first), [
        [1, "sendgrid", "credentials"],
        [1, "smtp", "sent"]
      ])
      assert.notInclude(JSON.stringify(first), planted.sendgrid)
      const alarms = Effect.sync(() =>
        [...running.stdout, ...running.stderr].filter((line) => /ALARM: sendgrid .*tenant alarm\b/.test(line))
      )
      yield* until(alarms, ({ length }) => length > 0)

      // SendGrid is left alone from then on.
      const second = yield* delivery(yield* notify({ user_id: "ada", channels: ["email"] }), "email", "sent")
      assert.deepStrictEqual(attemptsOf(second), [[1, "smtp", "sent"]])
      assert.lengthOf(sendgrid.of(address), 1)
      assert.lengthOf(smtp.of(address), 2)
      assert.lengthOf(yield* alarms, 1)
    })
  )

  it.effect("an email that nobody takes is a dead letter after five tries, and is replayed or discarded", () =>
    Effect.gen(function* () {
      const { planted, sendgrid, smtp } = yield* Services
      const dead = Effect.fnUntraced(function* (name: string) {
        const tenant = yield* tenantOf(name)
        const address = `ada@${name}.example`
        sendgrid.moods.set(address, down)
        smtp.refused.add(address)
        yield* tenant.user("ada", { email: address })
        const notification = yield* tenant.notify({ user_id: "ada", channels: ["email"] })
        return { ...tenant, address, notification, letter: yield* tenant.delivery(notification, "email", "dead") }
      })
      const [kept, given] = yield* Effect.all([dead("replay"), dead("discard")], { concurrency: 2 })

      const { address, api, letter } = kept
      const inspected = yield* api(`/dead-letters/${letter.id}`)
      assert.deepInclude(inspected, { state: "dead", attempts: 5, resolution: null })
      assert.include(JSON.stringify(inspected), "Try again later")
      assert.notInclude(JSON.stringify(inspected), planted.smtp)
      assert.deepStrictEqual(
        attemptsOf(inspected),
        [1, 2, 3, 4, 5].flatMap((attempt) => [
          [attempt, "sendgrid", "transient"] as const,
          [attempt, "smtp", "transient"] as const
        ])
      )
      const listed = (tenant: Tenant) =>
        Effect.map(tenant.api("/dead-letters?channel=email"), (rows) => rows.map(({ id }: Body) => id))
      assert.deepStrictEqual(yield* listed(kept), [letter.id])

      sendgrid.moods.delete(address)
      const before = sendgrid.of(address).length
      const [replayed] = yield* api("/dead-letters/replay", { body: { ids: [letter.id] } })
      assert.strictEqual(replayed.id, letter.id)
      const again = yield* until(api(`/deliveries/${replayed.replayed_as}`), ({ state }) => state === "sent")
      assert.deepInclude(again, { provider: "sendgrid", replay_of: letter.id, notification_id: kept.notification })
      assert.lengthOf(sendgrid.of(address), before + 1)
      assert.deepInclude(yield* api(`/deliveries/${letter.id}`), { state: "dead", resolution: "replayed" })
      assert.deepStrictEqual(yield* listed(kept), [])
      assert.deepStrictEqual(yield* api("/dead-letters/replay", { body: { ids: [letter.id] } }), [])

      const ids = [given.letter.id]
      assert.deepStrictEqual(yield* given.api("/dead-letters/discard", { body: { ids: [letter.id] } }), {
        discarded: 0
      })
      assert.deepStrictEqual(yield* given.api("/dead-letters/discard", { body: { ids } }), { discarded: 1 })
      assert.deepStrictEqual(yield* listed(given), [])
      assert.deepStrictEqual(yield* given.api("/dead-letters/replay", { body: { ids } }), [])
      assert.deepInclude(yield* given.api(`/deliveries/${given.letter.id}`), { state: "dead", resolution: "discarded" })
    })
  )

  it.effect("an SMS goes through Twilio, which tells on the URL that it was given what became of it", () =>
    Effect.gen(function* () {
      const { planted, twilio } = yield* Services
      const { api, delivery, notify, user } = yield* tenantOf("sms")
      const phone = "+4915112345671"
      yield* user("ada", { phone })
      const id = yield* notify({ user_id: "ada", title: "Code", message: "It is 1234", channels: ["sms"] })
      const sent = yield* delivery(id, "sms", "sent")
      const [message, ...others] = twilio.of(phone)
      assert.lengthOf(others, 0)
      const form = new URLSearchParams(message?.body)
      assert.include(form.get("Body"), "It is 1234")
      assert.strictEqual(form.get("From"), "+12025550123")
      const url = form.get("StatusCallback") ?? ""
      assert.match(url, /^https:\/\/beckon\.example\.com\/api\/v1\/callbacks\/twilio\?/)

      const news = { MessageSid: sent.provider_message_id, MessageStatus: "delivered", To: phone }
      const state = Effect.map(api(`/deliveries/${sent.id}`), (found) => found.state)
      assert.strictEqual((yield* Callbacks.twilio(url, news, "the token of a forger")).status, 401)
      assert.strictEqual(yield* state, "sent")
      assert.deepStrictEqual((yield* Callbacks.twilio(url, news, planted.twilio)).body, { data: { received: 1 } })
      assert.strictEqual(yield* state, "delivered")
      assert.deepStrictEqual((yield* Callbacks.twilio(url, news, planted.twilio)).body, { data: { received: 0 } })
      const late = { ...news, MessageStatus: "sent" }
      assert.strictEqual((yield* Callbacks.twilio(url, late, planted.twilio)).status, 200)
      assert.strictEqual(yield* state, "delivered")
    })
  )

  it.effect("WhatsApp gets texts and approved templates, and tells what became of them", () =>
    Effect.gen(function* () {
      const { planted, whatsapp } = yield* Services
      const { api, delivery, notify, user } = yield* tenantOf("whatsapp")
      const phone = "+4915112345672"
      yield* user("ada", { phone })
      const text = yield* notify({ user_id: "ada", message: "It is here", channels: ["whatsapp"] })
      const { id: textDelivery } = yield* delivery(text, "whatsapp", "sent")
      const template = yield* notify({
        user_id: "ada",
        channels: ["whatsapp"],
        whatsapp: { template: "parcel_here", language: "pt_BR", parameters: ["Ada", "18:40"] }
      })
      const sent = yield* delivery(template, "whatsapp", "sent")
      const [first, second, ...others] = whatsapp.of(phone).map(bodyOf)
      assert.lengthOf(others, 0)
      assert.deepInclude(first, { type: "text", biz_opaque_callback_data: textDelivery })
      assert.include(first.text.body, "It is here")
      assert.deepInclude(second, { type: "template", biz_opaque_callback_data: sent.id })
      assert.deepStrictEqual(second.template, {
        name: "parcel_here",
        language: { code: "pt_BR" },
        components: [
          {
            type: "body",
            parameters: [
              { type: "text", text: "Ada" },
              { type: "text", text: "18:40" }
            ]
          }
        ]
      })

      const query = (token: string) =>
        `/api/v1/callbacks/whatsapp?hub.mode=subscribe&hub.challenge=115820&hub.verify_token=${token}`
      const challenge = yield* ask(query(planted.whatsappVerify))
      assert.deepStrictEqual([challenge.status, challenge.body], [200, "115820"])
      assert.strictEqual((yield* ask(query("a guess"))).status, 401)

      const state = Effect.map(api(`/deliveries/${sent.id}`), (found) => found.state)
      const read = Callbacks.whatsAppStatus("read", sent.provider_message_id)
      assert.strictEqual((yield* Callbacks.whatsApp(read, "the secret of a forger")).status, 401)
      assert.strictEqual(yield* state, "sent")
      const delivered = Callbacks.whatsAppStatus("delivered", sent.provider_message_id)
      assert.strictEqual((yield* Callbacks.whatsApp(delivered, planted.whatsappApp)).status, 200)
      assert.strictEqual(yield* state, "delivered")
      assert.strictEqual((yield* Callbacks.whatsApp(read, planted.whatsappApp)).status, 200)
      assert.strictEqual(yield* state, "seen")
      assert.deepStrictEqual((yield* Callbacks.whatsApp(delivered, planted.whatsappApp)).body, {
        data: { received: 0 }
      })
      assert.strictEqual(yield* state, "seen")
    })
  )

  it.effect(
    "a webhook endpoint is told of a notification and of what becomes of it, signed and with its correlation id",
    () =>
      Effect.gen(function* () {
        const { hooks } = yield* Services
        const tenant = yield* tenantOf("hooks")
        const { path, secret } = yield* endpointOf(tenant, every)
        yield* tenant.user("ada", { email: "ada@hooks.example" })
        const id = yield* tenant.notify({ user_id: "ada", channels: ["email"] }, { "x-correlation-id": "order-4711" })
        const { id: email } = yield* tenant.delivery(id, "email", "sent")
        yield* arrived(hooks, path, 2)
        for (const event of ["delivered", "open"]) {
          yield* Callbacks.sendGrid([Callbacks.sendGridEvent(event, { delivery_id: email })])
        }
        const told = yield* arrived(hooks, path, 4)
        for (const one of told) assert.isTrue(isSignedBy(secret, one))
        assert.strictEqual(new Set(told.map(({ headers }) => headers["webhook-id"])).size, 4)
        const byType = new Map(told.map((one) => [bodyOf(one).type, one]))
        assert.sameMembers([...byType.keys()], every.slice(0, 4))
        const created = byType.get("notification.created")!
        assert.deepInclude(bodyOf(created).data, {
          notification_id: id,
          user_id: "ada",
          title: "News",
          message: "Read!"
        })
        assert.strictEqual(created.headers["x-correlation-id"], "order-4711")
        for (const state of ["sent", "delivered", "seen"]) {
          const { data } = bodyOf(byType.get(`delivery.${state}`)!)
          assert.deepInclude(data, { delivery_id: email, notification_id: id, channel: "email", state })
        }

        const bounced = yield* tenant.notify({ user_id: "ada", channels: ["email"] })
        const { id: lost } = yield* tenant.delivery(bounced, "email", "sent")
        yield* Callbacks.sendGrid([Callbacks.sendGridEvent("bounce", { delivery_id: lost, type: "bounce" })])
        const dead = (yield* arrived(hooks, path, 7)).map(bodyOf).find(({ type }) => type === "delivery.dead")
        assert.deepInclude(dead.data, { delivery_id: lost, state: "dead" })
      })
  )

  it.effect("a webhook's former secret signs beside the new one until its time is over", () =>
    Effect.gen(function* () {
      const { hooks, secrets } = yield* Services
      const tenant = yield* tenantOf("rotation")
      const { id, path, secret } = yield* endpointOf(tenant, ["notification.created"])
      const rotate = Effect.fnUntraced(function* (seconds: number) {
        const rotated = yield* tenant.api(`/webhooks/${id}/rotate`, { body: { overlap_seconds: seconds } })
        secrets.add(String(rotated.secret))
        return String(rotated.secret)
      })
      const signersOf = Effect.fnUntraced(function* (count: number, known: ReadonlyArray<string>) {
        yield* tenant.api(`/webhooks/${id}/test`, { method: "POST" })
        const last = (yield* arrived(hooks, path, count))[count - 1]!
        assert.strictEqual(bodyOf(last).type, "ping")
        return known.map((one) => isSignedBy(one, last))
      })
      const second = yield* rotate(600)
      assert.deepStrictEqual(yield* signersOf(1, [secret, second]), [true, true])
      const third = yield* rotate(0)
      assert.deepStrictEqual(yield* signersOf(2, [secret, second, third]), [false, false, true])
    })
  )

  it.effect("an endpoint that says it is gone is switched off, and what it missed is replayed when it is back", () =>
    Effect.gen(function* () {
      const { hooks } = yield* Services
      const tenant = yield* tenantOf("gone")
      const { id, path, secret } = yield* endpointOf(tenant, ["notification.created"])
      hooks.moods.set(path, json(500, {}))
      const missed = yield* Effect.forEach(["ada", "bob", "eve"], (user_id) => tenant.notify({ user_id }))
      yield* Effect.forEach(missed, (one) => tenant.delivery(one, "webhook", "failed", "sending"))
      hooks.moods.set(path, json(410, {}))
      yield* until(tenant.api(`/webhooks/${id}`), ({ enabled }) => enabled === false)
      const dead = yield* until(tenant.api(`/webhooks/${id}/deliveries?state=dead`), ({ length }) => length === 3)
      for (const { reason } of dead) assert.include(["gone", "endpoint_disabled"], reason)
      const asked = hooks.of(path).length

      // Switched off, it gets nothing new: what is planned meanwhile passes it by.
      const silent = yield* tenant.notify({ user_id: "ada", channels: ["sms"] })
      yield* tenant.delivery(silent, "sms", "skipped")
      assert.lengthOf((yield* tenant.status(silent)).deliveries, 1)
      hooks.moods.delete(path)
      yield* tenant.api(`/webhooks/${id}`, { method: "PATCH", body: { enabled: true } })
      const ids = dead.map((one: Body) => one.id)
      const replayed = yield* tenant.api("/dead-letters/replay", { body: { ids } })
      assert.lengthOf(replayed, ids.length)
      const told = (yield* arrived(hooks, path, asked + ids.length)).slice(asked)
      for (const one of told) assert.isTrue(isSignedBy(secret, one))
      assert.sameMembers(
        told.map((one) => bodyOf(one).data.notification_id),
        missed.slice()
      )
      assert.sameMembers(
        told.map(({ headers }) => headers["webhook-id"]),
        missed.map((one) => `msg_${one}`)
      )
    })
  )

  it.effect("“email, if not seen in two seconds” sends one to who has not read and none to who has", () =>
    Effect.gen(function* () {
      const { api, asUser, delivery, notify, policy, status, user } = yield* tenantOf("unseen")
      yield* policy({ defaults: { steps: [{ channel: "email", when: "unseen", after_seconds: 2 }] } })
      yield* user("reader", { email: "reader@unseen.example" })
      yield* user("absent", { email: "absent@unseen.example" })
      const read = yield* notify({ user_id: "reader" })
      yield* api("/users/me/notifications/read", { body: { ids: [read] } }, asUser("reader"))
      const unread = yield* notify({ user_id: "absent" })
      const [skipped, sent] = yield* Effect.all([
        delivery(read, "email", "skipped", "sent"),
        delivery(unread, "email", "skipped", "sent")
      ])
      assert.deepInclude(skipped, { state: "skipped", reason: "seen" })
      assert.strictEqual(sent.state, "sent")
      const { created_at } = yield* status(unread)
      assert.isAtLeast(Date.parse(sent.history[0].at) - Date.parse(created_at), 2_000)
      assert.lengthOf(yield* mailsTo("reader@unseen.example"), 0)
      assert.lengthOf(yield* mailsTo("absent@unseen.example"), 1)
    })
  )

  it.effect("a digest tells twenty notifications in one email, and none of them twice", () =>
    Effect.gen(function* () {
      const { delivery, notify, policy, status, user } = yield* tenantOf("digest")
      yield* policy({
        defaults: {
          steps: [{ channel: "email", when: "always" }],
          digest: { channels: ["email"], window_seconds: 4, per: "user", max_items: 100 }
        }
      })
      const address = "ada@digest.example"
      yield* user("ada", { email: address })
      const titles = Array.from({ length: 20 }, (_, index) => `Title ${String.fromCharCode(65 + index)}.`)
      const ids = yield* Effect.forEach(titles, (title) => notify({ user_id: "ada", title }), { concurrency: 10 })
      const sent = yield* delivery(ids[0] ?? "", "email", "sent")
      assert.strictEqual(sent.items, 20)
      const deliveries = yield* Effect.forEach(ids, (id) => Effect.map(status(id), (found) => found.deliveries))
      for (const [only, ...others] of deliveries) {
        assert.lengthOf(others, 0)
        assert.strictEqual(only.id, sent.id)
      }
      const mails = yield* mailsTo(address)
      assert.lengthOf(mails, 1)
      assert.match(mails[0].subject, /^20 /)
      const text = contentOf(mails[0], "text/plain")
      const named = titles.filter((title) => text.includes(title))
      assert.isAbove(named.length, 0)
      for (const title of named) assert.lengthOf(text.split(title), 2)
      // A mail names the first ones, and counts the rest.
      assert.strictEqual(named.length + Number(/and (\d+) more/.exec(text)?.[1] ?? 0), 20)
    })
  )

  it.effect("the third push in a window for two is skipped as throttled", () =>
    Effect.gen(function* () {
      const { api, asUser, delivery, notify, policy } = yield* tenantOf("throttle")
      const { secrets } = yield* Services
      const device = "device-token-of-ada-0123456789abcdef"
      secrets.add(device)
      yield* api("/users/me/devices", { body: { platform: "ios", token: device } }, asUser("ada"))
      yield* policy({
        defaults: { throttle: { channels: ["push"], limit: 2, window_seconds: 604_800, per: "user" } }
      })
      const outcomes = yield* Effect.forEach([1, 2, 3], () =>
        Effect.gen(function* () {
          const id = yield* notify({ user_id: "ada", push: "always" })
          const { reason, state } = yield* delivery(id, "push", "sent", "skipped")
          return [state, reason]
        })
      )
      assert.deepStrictEqual(
        outcomes.map(([state]) => state),
        ["sent", "sent", "skipped"]
      )
      assert.strictEqual(outcomes[2]?.[1], "throttled")
    })
  )

  it.effect("a critical type goes out although it is muted, and another one does not", () =>
    Effect.gen(function* () {
      const { api, delivery, notify, policy, user } = yield* tenantOf("critical")
      const steps = [{ channel: "email", when: "always" }]
      yield* policy({ defaults: { steps }, types: { breach: { critical: true } } })
      const address = "ada@critical.example"
      yield* user("ada", { email: address })
      const muted_types = ["breach", "news"]
      yield* api("/users/ada/preferences", { method: "PUT", body: { channels: {}, muted_types } })
      const breach = yield* notify({ user_id: "ada", notification_type: "breach", title: "Breach" })
      const news = yield* notify({ user_id: "ada" })
      assert.deepInclude(yield* delivery(news, "email", "skipped", "sent"), { state: "skipped", reason: "muted" })
      assert.strictEqual((yield* delivery(breach, "email", "skipped", "sent")).state, "sent")
      assert.deepStrictEqual(
        (yield* mailsTo(address)).map(({ subject }) => subject),
        ["Breach"]
      )
    })
  )

  it.effect("an SMS waits for the end of the quiet hours on the user's own clock, and an email does not", () =>
    Effect.gen(function* () {
      const { twilio } = yield* Services
      const { api, delivery, notify, user } = yield* tenantOf("quiet")
      const phone = "+4915112345673"
      yield* user("ada", { phone, email: "ada@quiet.example", time_zone: "Asia/Kolkata" })
      const now = Date.now()
      const onWall = (hours: number) =>
        inHours(hours + 5.5, now)
          .toISOString()
          .slice(11, 16)
      yield* api("/users/ada/preferences", {
        method: "PUT",
        body: { channels: {}, quiet_hours: { start: onWall(-1), end: onWall(2) } }
      })
      const id = yield* notify({ user_id: "ada", channels: ["sms", "email"] })
      yield* delivery(id, "email", "sent")
      const waiting = yield* delivery(id, "sms", "pending", "sending", "sent")
      assert.deepInclude(waiting, { state: "pending", attempts: 0 })
      assert.strictEqual(Date.parse(waiting.due_at), inHours(2, now).getTime())
      assert.lengthOf(twilio.of(phone), 0)
    })
  )

  it.effect("no secret is in any line that the program writes", () =>
    Effect.gen(function* () {
      const { planted, running, secrets, twilio, whatsapp } = yield* Services
      const tenant = yield* tenantOf("secrets")
      const { id } = yield* endpointOf(tenant, every)
      yield* tenant.api(`/webhooks/${id}/test`, { method: "POST" })
      yield* ask("/api/v1/notifications", { token: `${tenant.service}x`, body: {} })
      yield* until(tenant.api(`/webhooks/${id}/deliveries`), ([one]) => one?.state === "sent")
      // Senders that quote what they were shown.
      const phone = "+4915112345674"
      twilio.moods.set(phone, json(400, { code: 21602, message: `Not with ${planted.twilio}` }))
      whatsapp.moods.set(phone, json(400, { error: { code: 131008, message: `Not with ${planted.whatsapp}` } }))
      yield* tenant.user("ada", { phone })
      const refused = yield* tenant.notify({ user_id: "ada", channels: ["sms", "whatsapp"] })
      for (const channel of ["sms", "whatsapp"]) {
        const { detail } = yield* tenant.delivery(refused, channel, "dead")
        assert.match(detail, /Not with …$/)
      }
      const lines = yield* until(
        Effect.sync(() => [...running.stdout, ...running.stderr]),
        (all) => all.some((line) => line.includes("push: News"))
      )
      for (const secret of secrets) {
        assert.isAtLeast(secret.length, 16)
        for (const form of [secret, Buffer.from(secret).toString("base64"), encodeURIComponent(secret)]) {
          const line = lines.find((one) => one.includes(form))
          assert.isUndefined(line?.replaceAll(form, "<the secret>"))
        }
      }
    })
  )
})
