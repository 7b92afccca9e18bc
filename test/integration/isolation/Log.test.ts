/**
 * Every line that a call writes into the log says whose call it was.
 *
 * **Details**
 *
 * A call that goes well writes none. So here the database refuses every statement of a tenant's calls, and those that need it say so.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import type { Transformer } from "effect/sql/Statement"
import { InboxRpcs } from "@beckon/domain/InboxRpcs"
import { RowAccess } from "@beckon/domain/ports/RowAccess"
import { bareSocket, call } from "../road/Road.ts"
import { operations } from "./Attempts.ts"
import { attempt, listed, none, tokenOf } from "./Calls.ts"
import { startInProcess } from "./InProcess.ts"

interface Line {
  readonly tenant: unknown
  readonly text: string
}

it.live(
  "a call's lines in the log name the tenant",
  () =>
    Effect.gen(function* () {
      let isBroken = false
      let refused = 0
      const breaking: Transformer = (statement, sql, fiber) =>
        Effect.sync(() => {
          if (!isBroken || fiber.getRef(RowAccess) === "system") return statement
          refused++
          return sql.unsafe("select nothing from nowhere")
        })
      const lines: Array<Line> = []
      const logger = Logger.make<unknown, void>(({ fiber, message }) => {
        const { tenant } = fiber.getRef(References.CurrentLogAnnotations)
        lines.push({ tenant, text: JSON.stringify(message) })
      })
      const { alpha, url } = yield* startInProcess(breaking, [logger])
      const socket = yield* bareSocket(url, alpha.tokens.ada)
      const service = yield* bareSocket(url, alpha.tokens.service)
      isBroken = true
      let failed = 0
      lines.length = 0
      for (const operation of listed) {
        const { attempts, least } = operations[operation.id] ?? {}
        for (const one of attempts?.(alpha) ?? []) {
          const role = least === "user" ? "ada" : least === "platform" ? "platform" : "admin"
          const answer = yield* attempt(url, operation, one, tokenOf(alpha, role))
          if (answer.status >= 500) failed++
        }
      }
      yield* call(url, "/api/v1/services/notifications/send", {
        token: alpha.tokens.service,
        headers: { "idempotency-key": "once" },
        body: { user_id: "ada", type: "news", title: "News", message: "" }
      })
      const payloads: Readonly<Record<string, unknown>> = {
        RegisterDevice: { platform: "ios", token: "t" },
        UnregisterDevice: { token: "t" },
        SetPreferences: { channels: {}, mutedTypes: [] },
        List: {},
        GetPreferences: null,
        Watch: { topic: "tracking:driver:nobody" }
      }
      const before = lines.length
      for (const tag of InboxRpcs.requests.keys()) {
        const payload = payloads[tag]
        if (payload === undefined) continue
        yield* socket.rpc(tag, payload)
        yield* service.rpc(tag, payload)
      }
      isBroken = false
      yield* Effect.logInfo(
        `${refused} statements refused, ${failed} calls failed, ${lines.length} lines, ${lines.length - before} of sockets`
      )
      expect(failed).toBeGreaterThan(40)
      expect(lines.length - before).toBeGreaterThan(5)
      yield* none([
        ...new Set(
          lines
            .filter(({ tenant }) => tenant !== "alpha")
            .map(({ tenant, text }) => `${String(tenant)}: ${text.slice(0, 300)}`)
        )
      ])
    }).pipe(Effect.scoped),
  240_000
)
