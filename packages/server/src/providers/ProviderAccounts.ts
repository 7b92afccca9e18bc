/**
 * The accounts with senders of a tenant: brought along, changed, tried out.
 *
 * **Details**
 *
 * An account is built before it is saved, so that what cannot work is refused with the name of the field. No answer, no error
 * and no audit entry has a credential in it. Credentials that are kept are sent only where they were given for: a change of that
 * needs them anew.
 */
import { Clock, Context, DateTime, Effect, Layer, Option, Redacted } from "effect"
import type { Schema } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { HttpClient } from "effect/http"
import type { ProviderInput, ProviderPatch, ProviderTested } from "@beckon/domain/api/ProviderApi"
import { DeliveryId } from "@beckon/domain/Delivery"
import type { SendOutcome } from "@beckon/domain/Delivery"
import type { CurrentIdentity } from "@beckon/domain/Identity"
import type { TenantId } from "@beckon/domain/Identifiers"
import { Conflict, NotFound, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import { channelOf, decodeForm, redirectedBy } from "@beckon/domain/ProviderAccount"
import type { ProviderAccount, ProviderKind } from "@beckon/domain/ProviderAccount"
import { Audit } from "../audit/Audit.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as AccountProviders from "./AccountProviders.ts"
import type { AccountProvider, Outside } from "./AccountProviders.ts"
import { TenantProviders } from "./TenantProviders.ts"

export const maxAccounts = 20

/** Changes that come between a read and its write; so many in a row are no accident. */
const maxRounds = 5

const unknown = new NotFound({ detail: "id: no account of your tenant has this id" })

/** As it goes into the audit log. */
const shown = ({ credentials, enabled, kind, name, order, rate, settings }: ProviderAccount): Schema.Json => ({
  kind,
  name,
  order,
  enabled,
  rate,
  settings,
  credentials: { fingerprint: credentials.fingerprint, key_id: credentials.keyId }
})

const checked = (kind: ProviderKind, part: "settings" | "credentials", given: unknown) =>
  Effect.mapError(
    Effect.fromResult(decodeForm(kind, part, given)),
    ({ message }) => new Unprocessable({ detail: message })
  )

const sendTest = (provider: AccountProvider, tenantId: TenantId, to: string) => {
  const shared = { tenantId, deliveryId: DeliveryId.make(uuidV7Unsafe()), correlationId: undefined }
  const text = "This is a test message of Beckon."
  switch (provider.channel) {
    case "push": {
      const platform = to.startsWith("{") ? ("web" as const) : ("android" as const)
      const message = {
        to: { _tag: "Device" as const, platform, token: Redacted.make(to) },
        title: "Test",
        body: text,
        data: {},
        options: {},
        urgent: false
      }
      return provider.accepts(message) ? provider.send([{ ...shared, message }]) : undefined
    }
    case "email": {
      const message = {
        to,
        subject: "Test",
        text,
        html: undefined,
        replyTo: undefined,
        unsubscribeUrl: undefined
      }
      return provider.send([{ ...shared, message }])
    }
    case "sms":
      return provider.send([{ ...shared, message: { to, text } }])
    case "whatsapp":
      return provider.send([{ ...shared, message: { to, content: { _tag: "Text", text } } }])
  }
}

const testedOf = (outcome: SendOutcome | undefined, durationMs: number): ProviderTested => {
  if (outcome === undefined) return { sent: false, class: null, code: null, detail: null, durationMs }
  return outcome._tag === "Sent"
    ? { sent: true, class: null, code: outcome.code ?? null, detail: null, durationMs }
    : { sent: false, class: outcome.class, code: outcome.code, detail: outcome.detail, durationMs }
}

export class ProviderAccounts extends Context.Service<
  ProviderAccounts,
  {
    readonly list: (tenantId: TenantId) => Effect.Effect<ReadonlyArray<ProviderAccount>, Unavailable>
    readonly get: (tenantId: TenantId, id: string) => Effect.Effect<ProviderAccount, NotFound | Unavailable>
    readonly create: (
      tenantId: TenantId,
      input: ProviderInput
    ) => Effect.Effect<ProviderAccount, Conflict | Unavailable | Unprocessable, CurrentIdentity>
    readonly update: (
      tenantId: TenantId,
      id: string,
      patch: ProviderPatch
    ) => Effect.Effect<ProviderAccount, NotFound | Unavailable | Unprocessable, CurrentIdentity>
    readonly remove: (tenantId: TenantId, id: string) => Effect.Effect<void, NotFound | Unavailable, CurrentIdentity>
    /** One message with the account, at once. */
    readonly test: (
      tenantId: TenantId,
      id: string,
      to: string
    ) => Effect.Effect<ProviderTested, NotFound | Unavailable | Unprocessable, CurrentIdentity>
  }
>()("@beckon/server/providers/ProviderAccounts") {
  static readonly layer = (
    outside: Outside
  ): Layer.Layer<ProviderAccounts, never, Audit | HttpClient.HttpClient | ProviderAccountStore | TenantProviders> =>
    Layer.effect(ProviderAccounts, make(outside))
}

const make = Effect.fnUntraced(function* (outside: Outside) {
  const store = yield* ProviderAccountStore
  const providers = yield* TenantProviders
  const audit = yield* Audit
  const client = yield* HttpClient.HttpClient

  const build = (account: ProviderAccount, credentials: Redacted.Redacted) =>
    AccountProviders.make(account, credentials, outside).pipe(
      Effect.provideService(HttpClient.HttpClient, client),
      Effect.mapError(({ reason }) => new Unprocessable({ detail: reason }))
    )

  /** Opens it once, and lets it go. */
  const tryOut = (account: ProviderAccount, credentials: Redacted.Redacted) =>
    Effect.scoped(Effect.asVoid(build(account, credentials)))

  const get = Effect.fnUntraced(function* (tenantId: TenantId, id: string) {
    const found = yield* Effect.catch(store.get(tenantId, id), storeToProblem)
    return Option.isSome(found) ? found.value : yield* unknown
  })

  const credentialsOf = (tenantId: TenantId, id: string) =>
    store.credentials(tenantId, id).pipe(
      Effect.catchTags({
        StoreUnavailable: storeToProblem,
        CredentialsNotOpened: ({ message }) =>
          Effect.fail(new Unprocessable({ detail: `credentials: ${message}; give them again` }))
      }),
      Effect.flatMap((found) => (Option.isSome(found) ? Effect.succeed(found.value) : unknown))
    )

  const jsonOf = Effect.fnUntraced(function* (
    kind: ProviderKind,
    given: Redacted.Redacted<Readonly<Record<string, Schema.Json>>> | undefined
  ) {
    const fields = yield* checked(kind, "credentials", given === undefined ? {} : Redacted.value(given))
    return Redacted.make(JSON.stringify(fields), { label: "provider credentials" })
  })

  /** Answers nothing when somebody else has changed the account meanwhile: what was checked is not what is there. */
  const changeOf = Effect.fnUntraced(function* (before: ProviderAccount, patch: ProviderPatch) {
    const { id, kind, tenantId, version } = before
    const settings: Schema.JsonObject | undefined =
      patch.settings === undefined ? undefined : { ...(yield* checked(kind, "settings", patch.settings)) }
    const given = patch.credentials === undefined ? undefined : yield* jsonOf(kind, patch.credentials)
    const redirected = settings === undefined ? undefined : redirectedBy(kind, before.settings, settings)
    if (redirected !== undefined && given === undefined) {
      return yield* new Unprocessable({
        detail: `credentials: give them too; settings.${redirected} changes where they are sent`
      })
    }
    if (settings !== undefined || given !== undefined) {
      const credentials = given ?? (yield* credentialsOf(tenantId, id))
      yield* tryOut({ ...before, settings: settings ?? before.settings }, credentials)
    }
    const { credentials: _credentials, settings: _settings, ...plain } = patch
    const change = {
      ...plain,
      ...(settings === undefined ? {} : { settings }),
      ...(given === undefined ? {} : { credentials: given })
    }
    return yield* Effect.catch(store.update(tenantId, id, change, yield* DateTime.now, version), storeToProblem)
  })

  return ProviderAccounts.of({
    list: (tenantId) => Effect.catch(store.list(tenantId), storeToProblem),
    get,

    create: Effect.fn("ProviderAccounts.create")(function* (tenantId, input) {
      const { enabled = true, kind, name, order = 100, rate = null } = input
      const settings: Schema.JsonObject = { ...(yield* checked(kind, "settings", input.settings ?? {})) }
      const credentials = yield* jsonOf(kind, input.credentials)
      const present = yield* Effect.catch(store.list(tenantId), storeToProblem)
      if (present.length >= maxAccounts)
        return yield* new Conflict({ detail: `a tenant has at most ${maxAccounts} accounts` })
      const now = yield* DateTime.now
      const id = uuidV7Unsafe()
      const account = { kind, name, order, enabled, settings, rate }
      const none = { keyId: "", fingerprint: "", updatedAt: now }
      const draft = { ...account, id, tenantId, credentials: none, version: 0, createdAt: now, updatedAt: now }
      yield* tryOut(draft, credentials)
      const created = yield* Effect.catch(store.create(tenantId, id, { ...account, credentials }, now), storeToProblem)
      yield* providers.changed(tenantId)
      yield* audit.record({ action: "provider.create", target: `provider/${id}`, after: shown(created) })
      return created
    }, Effect.uninterruptible),

    update: Effect.fn("ProviderAccounts.update")(function* (tenantId, id, patch) {
      for (let round = 0; round < maxRounds; round++) {
        const before = yield* get(tenantId, id)
        const changed = yield* changeOf(before, patch)
        if (Option.isNone(changed)) continue
        yield* providers.changed(tenantId)
        yield* audit.record({
          action: "provider.update",
          target: `provider/${id}`,
          before: shown(before),
          after: shown(changed.value)
        })
        return changed.value
      }
      return yield* new Unavailable({ detail: "Others change this account at the same time; try again." })
    }, Effect.uninterruptible),

    remove: Effect.fn("ProviderAccounts.remove")(function* (tenantId, id) {
      const before = yield* get(tenantId, id)
      if (!(yield* Effect.catch(store.remove(tenantId, id), storeToProblem))) return yield* unknown
      yield* providers.changed(tenantId)
      yield* audit.record({ action: "provider.delete", target: `provider/${id}`, before: shown(before) })
    }, Effect.uninterruptible),

    test: Effect.fn("ProviderAccounts.test")(function* (tenantId, id, to) {
      const account = yield* get(tenantId, id)
      const credentials = yield* credentialsOf(tenantId, id)
      yield* audit.record({ action: "provider.test", target: `provider/${id}` })
      return yield* Effect.scoped(
        Effect.gen(function* () {
          const provider = yield* build(account, credentials)
          const begin = yield* Clock.currentTimeNanos
          const sending = sendTest(provider, tenantId, to)
          if (sending === undefined)
            return yield* new Unprocessable({
              detail: `to: not an address that an account of ${channelOf(account.kind)} (${account.kind}) takes`
            })
          const [outcome] = yield* sending
          return testedOf(outcome, Number((yield* Clock.currentTimeNanos) - begin) / 1e6)
        })
      )
    })
  })
})
