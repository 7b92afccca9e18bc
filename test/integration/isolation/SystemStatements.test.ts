/**
 * Which statements of the API run outside the caller's tenant: these, each for its reason, and no other.
 */
import { expect, it } from "@effect/vitest"
import { Context, Effect, Option } from "effect"
import { HttpServerRequest } from "effect/http"
import type { Transformer } from "effect/sql/Statement"
import { RowAccess } from "@beckon/domain/ports/RowAccess"
import { call } from "../road/Road.ts"
import { operations } from "./Attempts.ts"
import { attempt, listed, none, tokenOf } from "./Calls.ts"
import { publicUrl } from "./Deployment.ts"
import { startInProcess } from "./InProcess.ts"
import { signedByTwilio } from "./Signed.ts"

interface Ran {
  readonly request: string
  readonly access: string
  readonly text: string
}

interface Reason {
  readonly statement: RegExp
  /** Which requests may run it; all of them when absent. */
  readonly requests?: RegExp
  readonly because: string
}

const allowed: ReadonlyArray<Reason> = [
  {
    statement: /^select t\.tenant_id, .* from tenants t where t\.tenant_id = \$1$/,
    because:
      "the cache of tenants, which all requests of the tenant share, is asked before it is known whether it is there"
  },
  {
    statement: /^(select|insert into|update|delete from) .*\btenants\b/,
    requests: / \/api\/v1\/admin\/tenants?\b/,
    because: "tenants are set up by the platform; a tenant's own changes go the same way, by the id of its caller"
  },
  {
    statement: /^insert into audit_log /,
    because:
      "what was done is noted for the tenant of whom it was done to, by whomever, and also when the caller has gone"
  },
  {
    statement: /^select (l\.)?.* from lookups l where l\.tenant_id = \$1 and l\.kind = \$2$/,
    because: "the cache of lookups holds those of the deployment, which no tenant has, in the same way as a tenant's"
  },
  {
    statement: /^select .* from api_keys k? ?where .*\bid = \$1/,
    because: "whose a key is, is known only when it has been found"
  },
  {
    statement: /^update api_keys set last_used_at = .* where tenant_id = \$3 and id = \$4 /,
    because: "that a key was shown is noted beside the call, also of one that is refused"
  },
  {
    statement: /^(select|insert into) .*\bsealed_keys\b/,
    requests: /devices|personal-data/,
    because: "the key that hashes device tokens is the deployment's: it has no tenant"
  },
  {
    statement: /^select count\(\*\) filter .* from notifications where tenant_id = \$1 and options ->> 'cancelKey' = /,
    requests: / \/api\/v1\/services\/batches\//,
    because:
      "operators that are not leakproof find no index under a tenant's policy; the statement names the tenant: outcomes of a batch"
  },
  {
    statement:
      /^update notifications n set plan_at = null where n\.tenant_id = \$1 and .* n\.options ->> 'cancelKey' = /,
    because: "likewise: what a cancel key cancels"
  },
  {
    statement: /^select .* from deliveries d where .*d\.tenant_id = \$1 .*d\.target ->> 'endpointId' = /,
    because: "likewise: deliveries of a webhook"
  },
  {
    statement: /^select .* from users u where u\.tenant_id = \$1 .* u\.roles @> /,
    because: "likewise: users of a role"
  },
  {
    statement: /^select .* from provider_accounts a where a\.tenant_id = \$1 order by /,
    because: "the cache of accounts, which workers and requests of the tenant share"
  },
  {
    statement: /\b(deliver(y_events|ies|y_attempts)|webhook_endpoints)\b/,
    requests: / \/api\/v1\/callbacks\//,
    because:
      "who calls back shows no tenant: the signature says of whom the deliveries may be, and they are checked by it"
  },
  {
    statement: /^select sealed, key_id from tenant_secrets where tenant_id = \$1 and name = \$2$/,
    requests: / \/api\/v1\/admin\/tenant\b/,
    because: "the cache of service accounts at user services, which workers and requests of the tenant share"
  },
  {
    statement: /^SELECT (1$|count\(\*\)::int AS count FROM pg_catalog\.pg_tables)/,
    requests: / \/health\/ready$/,
    because: "the database as a whole"
  }
]

const others: Readonly<Record<string, string>> = { alpha: "beta", beta: "alpha" }

/**
 * Notes every statement that a fiber of a request runs, whichever fiber of it that is; and of all fibers those that have the
 * rows of one tenant and ask for those of another.
 */
const noting =
  (ran: Array<Ran>, crossed: Array<string>): Transformer =>
  (statement, _, fiber) =>
    Effect.sync(() => {
      const [asked, parameters] = statement.compile()
      const whose = fiber.getRef(RowAccess)
      const other = whose === "system" ? undefined : others[whose.tenantId]
      if (other !== undefined && parameters.some((one) => String(one).includes(other))) {
        crossed.push(`with the rows that are not ${other}'s: ${asked} ${String(parameters)}`)
      }
      const request = Context.getOption(fiber.context, HttpServerRequest.HttpServerRequest)
      if (Option.isSome(request)) {
        ran.push({
          request: `${request.value.method} ${request.value.url.replace(/\?.*/, "")}`,
          access: whose === "system" ? whose : whose.tenantId,
          text: asked.replaceAll(/\s+/g, " ").trim()
        })
      }
      return statement
    })

it.live(
  "statements of the API run with the rows of the caller's tenant, but for those that have a reason",
  () =>
    Effect.gen(function* () {
      const ran: Array<Ran> = []
      const crossed: Array<string> = []
      const { alpha, url } = yield* startInProcess(noting(ran, crossed))
      expect(new Set(ran.map(({ access }) => access))).toEqual(new Set(["system", "alpha", "beta"]))
      // With a key, and under an Idempotency-Key.
      const keyed = yield* call(url, "/api/v1/services/notifications/send", {
        token: alpha.secret,
        headers: { "idempotency-key": "once" },
        body: { user_id: "ada", type: "news", title: "News", message: "" }
      })
      expect(keyed.status).toBe(202)
      const callback = signedByTwilio(publicUrl, alpha, { MessageSid: "SM1", MessageStatus: "delivered" })
      expect((yield* call(url, callback.path, callback.options)).status).toBe(200)
      for (const operation of listed) {
        const tried = operations[operation.id]
        for (const one of tried?.attempts(alpha) ?? []) {
          const role = tried?.least === "user" ? "ada" : tried?.least === "platform" ? "platform" : "admin"
          yield* attempt(url, operation, one, tokenOf(alpha, role))
        }
      }
      const ofSystem = ran.filter(({ access }) => access === "system")
      const faults = new Set<string>()
      for (const { request, text } of ofSystem) {
        const isAllowed = allowed.some(
          ({ requests, statement }) => statement.test(text) && (requests === undefined || requests.test(request))
        )
        if (!isAllowed) faults.add(`${text.slice(0, 400)}\n      by ${request}`)
      }
      yield* Effect.logInfo(
        `${ran.length} statements, ${ran.length - ofSystem.length} of them with the rows of the tenant only`
      )
      yield* none([...faults])
      expect(crossed).toEqual([])
      for (const table of [
        "notifications",
        "templates",
        "api_keys",
        "webhook_endpoints",
        "batches",
        "deliveries",
        "idempotency_keys"
      ]) {
        expect(
          ran.some(({ access, text }) => access === "alpha" && text.includes(table)),
          table
        ).toBe(true)
      }
    }).pipe(Effect.scoped),
  240_000
)
