/**
 * Every operation of the API, tried by another tenant, by another user, by too little a role, by a key of another scope, and by nobody.
 */
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call, token } from "../road/Road.ts"
import { operations } from "./Attempts.ts"
import { answersFor, attempt, listed, may, none, textOf, tokenOf } from "./Calls.ts"
import type { Listed, Role } from "./Calls.ts"
import { Deployment, differences, rowsOf } from "./Deployment.ts"
import { settled } from "./Furnished.ts"

const caseOf = ({ id }: Listed) => {
  const operation = operations[id]
  if (operation === undefined) throw new Error(`Attempts.ts does not say how ${id} is tried`)
  return operation
}

const brief = (text: string) => text.slice(0, 300)

const strangers: ReadonlyArray<Role> = ["admin", "service", "ada", "platform"]
const roles: ReadonlyArray<Role> = ["bob", "ada", "service", "admin"]

layer(Deployment.layer, { timeout: "240 seconds", excludeTestServices: true })("every operation of the API", (it) => {
  it.effect("is tried, and no other", () =>
    Effect.sync(() => {
      expect(Object.keys(operations).toSorted()).toEqual(listed.map(({ id }) => id).toSorted())
    })
  )

  it.effect("shows what is one's own to oneself, so that there is something to be found", () =>
    Effect.gen(function* () {
      const { alpha, beta, url } = yield* Deployment
      const faults: Array<string> = []
      // What has no text of the tenant in it.
      const plain = new Set([
        "me.unreadCount",
        "me.devices",
        "presence.get",
        "friendships.list",
        "users.devices",
        "deliveries.list",
        "deliveries.counts",
        "deliveries.reconciliation",
        "deliveries.get",
        "deadLetters.list",
        "deadLetters.get",
        "templates.versions",
        "webhooks.deliveries",
        "tenant.credential",
        "tenants.list",
        "metrics.metrics",
        "templates.list"
      ])
      for (const one of [alpha, beta]) {
        for (const operation of listed.filter(({ method }) => method === "GET")) {
          const { attempts, least } = caseOf(operation)
          if (least === "nobody") continue
          const role = least === "user" ? "ada" : least === "platform" ? "platform" : "admin"
          const query = operation.pages ? { limit: "100" } : {}
          const [first] = attempts(one)
          const params = operation.id === "presence.get" ? { userId: "ada" } : (first?.params ?? {})
          const answer = yield* attempt(url, operation, { params, query }, tokenOf(one, role))
          const shown =
            plain.has(operation.id) || textOf(answer).includes(one.mark) || textOf(answer).includes(one.adas)
          if (answer.status !== 200 || !shown) {
            faults.push(`${operation.id} ${answer.status} ${brief(textOf(answer))}`)
          }
        }
      }
      yield* none(faults)
    })
  )

  it.effect("shows another tenant nothing, and changes nothing there", () =>
    Effect.gen(function* () {
      const { alpha, beta, sql, url } = yield* Deployment
      yield* settled(sql)
      const before = yield* rowsOf("alpha")
      const faults: Array<string> = []
      let count = 0
      for (const operation of listed) {
        const { attempts, least } = caseOf(operation)
        for (const role of strangers) {
          // To those who run the deployment tenants are no secret.
          if (role === "platform" && least === "platform") continue
          const cursors: Array<Record<string, string>> = []
          if (operation.pages && may(role, least)) {
            const [first] = attempts(alpha)
            const page = yield* attempt(
              url,
              operation,
              { ...(first?.params && { params: first.params }), query: { limit: "1" } },
              tokenOf(alpha, least === "user" ? "ada" : role)
            )
            const cursor: unknown = page.body.meta?.next_cursor ?? page.body.meta?.nextCursor
            if (typeof cursor === "string") cursors.push({ limit: "100", cursor })
            else if (role === "admin") faults.push(`${operation.id}: one page has all of it: ${brief(textOf(page))}`)
          }
          const all = attempts(alpha)
          const withCursors = cursors.map((query) => ({
            ...all[0],
            query,
            answers: [200, 422, ...(all[0]?.answers ?? [])]
          }))
          for (const tried of [...all, ...withCursors]) {
            count++
            const answer = yield* attempt(url, operation, tried, tokenOf(beta, role))
            const text = textOf(answer)
            if (!answersFor(role, least, tried).includes(answer.status)) {
              faults.push(`${operation.id} as ${role} with ${JSON.stringify(tried)}: ${answer.status} ${brief(text)}`)
            }
            const mark = [alpha.mark, alpha.adas].find((one) => text.includes(one))
            if (mark !== undefined)
              faults.push(`${operation.id} shows ${role} ${brief(text.slice(text.indexOf(mark) - 100))}`)
          }
        }
      }
      yield* settled(sql)
      faults.push(...differences(before, yield* rowsOf("alpha")))
      // What came of a revocation in one tenant is not that of the other one's user of the same name.
      const namesake = yield* call(url, "/api/v1/users/me/notifications", {
        token: token({ sub: alpha.own, tenant: "alpha" })
      })
      expect(namesake.status).toBe(200)
      yield* Effect.logInfo(`${count} attempts of another tenant`)
      yield* none(faults)
    })
  )

  it.effect("refuses another user what is not his, and every role what is above it", () =>
    Effect.gen(function* () {
      const { alpha, sql, url } = yield* Deployment
      yield* settled(sql)
      const faults: Array<string> = []
      let count = 0
      const before = yield* rowsOf("alpha")
      for (const operation of listed) {
        const { asBob, attempts, least } = caseOf(operation)
        if (least === "nobody") continue
        for (const role of roles) {
          // Of the roles above it this is about those that may not; what they may is theirs.
          if (role !== "bob" && may(role, least)) continue
          const tries = role === "bob" ? (asBob ?? attempts)(alpha) : attempts(alpha)
          for (const tried of tries) {
            count++
            const answer = yield* attempt(url, operation, tried, tokenOf(alpha, role))
            const text = textOf(answer)
            if (!answersFor(role, least, tried).includes(answer.status)) {
              faults.push(`${operation.id} as ${role} with ${JSON.stringify(tried)}: ${answer.status} ${brief(text)}`)
            }
            if (text.includes(alpha.adas))
              faults.push(`${operation.id} shows ${role} ${brief(text.slice(text.indexOf(alpha.adas) - 100))}`)
          }
        }
      }
      const bobs = /"user_id": "bob"/
      yield* settled(sql)
      faults.push(...differences(before, yield* rowsOf("alpha")).filter((row) => !bobs.test(row)))
      yield* Effect.logInfo(`${count} attempts of another user and of too little a role`)
      yield* none(faults)
    })
  )

  it.effect("refuses who shows no credential, and keys of another scope", () =>
    Effect.gen(function* () {
      const { alpha, sql, url } = yield* Deployment
      const faults: Array<string> = []
      let count = 0
      const keyWith = Effect.fnUntraced(function* (scope: string) {
        const body = { name: scope, role: "admin", scopes: [scope] }
        const made = yield* call(url, "/api/v1/admin/api-keys", { token: alpha.tokens.admin, body })
        expect(made.status).toBe(201)
        return String(made.body.data.key)
      })
      const narrow = [yield* keyWith("lookups:read"), yield* keyWith("events:write")] as const
      const before = yield* rowsOf("alpha")
      const bad = [
        "",
        "nothing",
        `${alpha.secret}x`,
        token({ sub: "boss", tenant: "alpha", roles: ["admin"], secret: "x".repeat(32) })
      ]
      for (const operation of listed) {
        const { attempts, least } = caseOf(operation)
        const [tried] = attempts(alpha)
        if (least === "nobody" || tried === undefined) continue
        const expectations: ReadonlyArray<readonly [string | undefined, number]> = [
          [undefined, 401],
          ...bad.map((one) => [one, 401] as const),
          [operation.id === "lookups.list" ? narrow[1] : narrow[0], 403]
        ]
        for (const [credential, status] of expectations) {
          count++
          const answer = yield* attempt(url, operation, tried, credential)
          if (answer.status !== status)
            faults.push(`${operation.id} ${credential}: ${answer.status} ${brief(textOf(answer))}`)
        }
      }
      yield* settled(sql)
      const changed = differences(before, yield* rowsOf("alpha"))
      // That a key was used is noted; what it was refused changes nothing.
      faults.push(...changed.filter((row) => !/^\S+ (from|in) (api_keys|audit_log):/.test(row)))
      yield* Effect.logInfo(`${count} attempts without a credential, or with a wrong one`)
      yield* none(faults)
    })
  )
})
