import { expect, layer } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { http, Road, service, socketOf, token } from "../road/Road.ts"
import type { Answer } from "../road/Road.ts"
import { inboxOf, pathOf, recipientsFrom, sendBatch, sendChunk, statusWhen } from "./BatchRoad.ts"

const content = { notification_type: "sale", title: "Hello {{name}}", message: "50 % off" }

const post = (path: string, body: unknown = {}, as = service) => http(path, { token: as, body, method: "POST" })
const get = (path: string, as = service) => http(path, { token: as })

const isDone = ({ state }: { readonly state?: string }): boolean => state === "completed"

const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString()

const titlesOf = (rows: ReadonlyArray<{ readonly title: string }>) => rows.map(({ title }) => title)

layer(Road.layer, { timeout: "60 seconds", excludeTestServices: true })("batches", (it) => {
  it.effect("one call reaches everybody, each with his own words; what cannot be sent is an error of its row", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const answer = yield* post(sendBatch, {
        content,
        name: "Spring",
        recipients: [
          { user_id: "ada", variables: { name: "Ada" } },
          { user_id: "bob", title: "For Bob", notification_type: "other", data: { n: 1 } },
          { user_id: "eve", template_code: "nowhere" }
        ]
      })
      expect(answer).toMatchObject({
        status: 202,
        body: { data: { chunk_number: 1, duplicate: false, state: "running", counts: { total: 3, pending: 3 } } }
      })
      const id: string = answer.body.data.batch_id
      const done = yield* statusWhen(url, id, isDone)
      expect(done).toMatchObject({
        batch_id: id,
        kind: "batch",
        name: "Spring",
        content,
        created_by: "shop",
        chunks: 1,
        last_chunk: 1,
        counts: { total: 3, pending: 0, accepted: 2, failed: 1 },
        outcomes: { notifications: { read: 0, unread: 2 } }
      })
      const ada = yield* inboxOf(url, "ada")
      expect(ada.map(({ message, title }) => [title, message])).toEqual([["Hello Ada", "50 % off"]])
      expect(titlesOf(yield* inboxOf(url, "bob"))).toEqual(["For Bob"])
      const errors = yield* get(`${pathOf(id)}/errors`)
      expect(errors.body.data).toMatchObject([{ row: 3, user_id: "eve", field: "template_code", raw: null }])
      // Of another tenant nobody finds it.
      const stranger = token({ sub: "shop", roles: ["service"], tenant: "other" })
      for (const path of ["", "/errors"]) expect((yield* get(pathOf(id) + path, stranger)).status).toBe(404)
      for (const verb of ["cancel", "pause", "resume"]) {
        expect((yield* post(`${pathOf(id)}/${verb}`, {}, stranger)).status).toBe(404)
        expect((yield* post(`${pathOf(id)}/${verb}`)).status).toBe(409)
      }
      expect((yield* get("/api/v1/services/batches", stranger)).body.data).toEqual([])
      expect((yield* get(pathOf(id), token({ sub: "ada" }))).status).toBe(403)
    })
  )

  it.effect("the same request id makes one batch; another body under it is refused", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const body = { content, request_id: "once", recipients: recipientsFrom(1, 3) }
      const [first, second] = [yield* post(sendBatch, body), yield* post(sendBatch, body)]
      expect(second.body.data).toMatchObject({ batch_id: first.body.data.batch_id, duplicate: true })
      expect((yield* post(sendBatch, { ...body, name: "other" })).status).toBe(409)
      expect((yield* post(sendBatch, { ...body, recipients: recipientsFrom(1, 2) })).status).toBe(409)
      yield* statusWhen(url, first.body.data.batch_id, isDone)
      expect(yield* inboxOf(url, "user-2")).toHaveLength(1)
    })
  )

  it.effect("chunks fill a batch in any order, and each number counts once", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const opened = yield* post(sendChunk, { content, chunk_number: 2, recipients: recipientsFrom(2_001, 2) })
      expect(opened.status).toBe(202)
      const batch_id: string = opened.body.data.batch_id
      const chunk = (chunk_number: number, recipients: ReadonlyArray<unknown>, other = {}) =>
        post(sendChunk, { batch_id, chunk_number, recipients, ...other })
      const again = yield* chunk(2, recipientsFrom(2_001, 2))
      expect(again.body.data).toMatchObject({ duplicate: true, counts: { total: 2 } })
      expect(yield* chunk(2, recipientsFrom(2_001, 1))).toMatchObject({
        status: 409,
        body: { detail: "chunk_number: chunk 2 came before, with other recipients" }
      })
      expect((yield* chunk(3, [], { final: true })).status).toBe(202)
      expect((yield* chunk(4, recipientsFrom(1, 1))).body.detail).toBe("chunk_number: chunk 3 was the last one")
      expect((yield* chunk(1, recipientsFrom(2_003, 1))).status).toBe(202)
      const done = yield* statusWhen(url, batch_id, isDone)
      expect(done).toMatchObject({ chunks: 3, counts: { total: 3, accepted: 3 } })
      expect((yield* chunk(1, recipientsFrom(2_003, 1))).body.data).toMatchObject({ duplicate: true })
      expect(titlesOf(yield* inboxOf(url, "user-2002"))).toEqual(["Hello Zoë 2002"])
    })
  )

  it.effect("what is wrong is named, with its limit, and nothing of the call is taken", () =>
    Effect.gen(function* () {
      const before = (yield* get("/api/v1/services/batches?limit=100")).body.data.length
      const refused = Effect.fnUntraced(function* (path: string, body: unknown, status: number, told: RegExp) {
        const answer = yield* post(path, body)
        expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringMatching(told)])
      })
      const many = recipientsFrom(1, 1_001)
      yield* refused(sendBatch, { content, recipients: many }, 400, /recipients.*1000/)
      yield* refused(sendChunk, { content, chunk_number: 1, recipients: many }, 400, /recipients.*1000/)
      yield* refused(sendBatch, { content, recipients: [] }, 400, /recipients/)
      yield* refused(sendBatch, { content, recipients: [{}] }, 400, /user_id/)
      yield* refused(sendChunk, { content, chunk_number: 0, recipients: [] }, 400, /chunk_number/)
      yield* refused(sendChunk, { content, chunk_number: 1, recipients: [] }, 422, /recipients: may only be empty/)
      yield* refused(sendChunk, { chunk_number: 1, recipients: recipientsFrom(1, 1) }, 422, /content: needed/)
      const both = { batch_id: "b", content, chunk_number: 1, recipients: recipientsFrom(1, 1) }
      yield* refused(sendChunk, both, 422, /content: not together with batch_id/)
      yield* refused(sendChunk, { ...both, content: undefined }, 404, /no batch/)
      const bare = { notification_type: "sale" }
      const [one] = recipientsFrom(1, 1)
      yield* refused(
        sendBatch,
        { content: bare, recipients: [{ ...one, title: "T" }, one] },
        422,
        /recipients\[1\]\.title/
      )
      const unknown = { notification_type: "sale", template_code: "nowhere" }
      yield* refused(sendBatch, { content: unknown, recipients: [one] }, 422, /content\.template_code/)
      yield* refused(sendBatch, { content, send_at: "2199-01-01T00:00:00Z", recipients: [one] }, 422, /send_at.*366/)
      expect((yield* get("/api/v1/services/batches?limit=100")).body.data).toHaveLength(before)
    })
  )

  it.effect("waits for its time, can be held, goes on, and is cancelled; the topic tells it", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const watcher = yield* socketOf({ sub: "shop", roles: ["service"] })
      const opened = yield* post(sendBatch, { content, send_at: tomorrow(), recipients: recipientsFrom(3_001, 4) })
      const id: string = opened.body.data.batch_id
      expect(yield* watcher.rpc("Watch", { topic: `batch:${id}` })).toMatchObject({ _tag: "Success" })
      const state = (verb: string) =>
        Effect.map(post(`${pathOf(id)}/${verb}`), ({ body, status }) => [status, body.data?.state])
      expect(yield* state("pause")).toEqual([200, "paused"])
      expect(yield* state("pause")).toEqual([200, "paused"])
      expect(yield* state("resume")).toEqual([200, "running"])
      const cancelled = yield* post(`${pathOf(id)}/cancel`)
      expect(cancelled).toMatchObject({
        status: 200,
        body: { data: { state: "cancelled", cancelled_deliveries: 0, counts: { pending: 0, cancelled: 4 } } }
      })
      expect(yield* state("cancel")).toEqual([200, "cancelled"])
      expect(yield* state("resume")).toEqual([409, undefined])
      const late = yield* post(sendChunk, { batch_id: id, chunk_number: 2, recipients: recipientsFrom(1, 1) })
      expect(late.status).toBe(409)
      const told: Array<string> = []
      while (told.at(-1) !== "cancelled") {
        const message = yield* Queue.take(watcher.messages)
        if (message._tag === "Topic") told.push(message.data.state)
      }
      expect(told).toEqual(["paused", "running", "cancelled"])
      expect(yield* inboxOf(url, "user-3001")).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("held in the middle it stands still, goes on, and what is cancelled never goes out", () =>
    Effect.gen(function* () {
      const { url } = yield* Road
      const shop = token({ sub: "shop", roles: ["service"], tenant: "held" })
      let id = ""
      for (let number = 1; number <= 6; number++) {
        const named = number === 1 ? { content: { ...content, push: "always" } } : { batch_id: id }
        const body = { ...named, chunk_number: number, recipients: recipientsFrom(number * 1_000, 1_000) }
        id = (yield* post(sendChunk, body, shop)).body.data.batch_id
      }
      const status = (isEnough: (data: Answer["body"]) => boolean) => statusWhen(url, id, isEnough, shop)
      const begun = yield* status(({ counts }) => counts.accepted >= 250)
      expect(begun.counts.pending).toBeGreaterThan(0)
      expect((yield* post(`${pathOf(id)}/pause`, {}, shop)).body.data.state).toBe("paused")
      /** Every worker has reported the slice that it was sending: then nothing moves. */
      let held = yield* status(() => true)
      for (let still = 0; still < 10;) {
        const next = yield* Effect.delay(
          status(() => true),
          "200 millis"
        )
        still = next.counts.accepted === held.counts.accepted ? still + 1 : 0
        held = next
      }
      expect(held).toMatchObject({ state: "paused" })
      expect(held.counts.accepted).toBeLessThanOrEqual(begun.counts.accepted + 4 * 500)
      expect((yield* post(`${pathOf(id)}/resume`, {}, shop)).body.data.state).toBe("running")
      yield* status(({ counts }) => counts.accepted > held.counts.accepted)
      const cancelled = yield* post(`${pathOf(id)}/cancel`, {}, shop)
      expect(cancelled.body.data.state).toBe("cancelled")
      const end = yield* status(({ counts }) => counts.pending === 0)
      expect(end.counts.accepted + end.counts.cancelled).toBe(6_000)
      // As many notifications as rows that count as accepted, and no delivery of them still waits.
      const { read, unread } = end.outcomes.notifications
      expect(read + unread).toBe(end.counts.accepted)
      expect(end.outcomes.deliveries.push?.pending).toBeUndefined()
      expect(end.outcomes.deliveries.push?.failed).toBeUndefined()
    })
  )

  it.effect("the list has pages and filters", () =>
    Effect.gen(function* () {
      const shop = token({ sub: "shop", roles: ["service"], tenant: "lister" })
      const made: Array<string> = []
      for (let number = 1; number <= 5; number++) {
        const body = { content, send_at: tomorrow(), recipients: recipientsFrom(number, 1) }
        made.push((yield* post(sendBatch, body, shop)).body.data.batch_id)
      }
      yield* post(`${pathOf(made[2] ?? "")}/cancel`, {}, shop)
      const listed: Array<string> = []
      let cursor = ""
      do {
        const page = yield* get(`/api/v1/services/batches?limit=2${cursor}`, shop)
        for (const { batch_id } of page.body.data) listed.push(batch_id)
        cursor = page.body.meta.next_cursor === null ? "" : `&cursor=${page.body.meta.next_cursor}`
      } while (cursor !== "")
      expect(listed).toEqual(made.toReversed())
      const only = yield* get("/api/v1/services/batches?state=cancelled&kind=batch", shop)
      expect(only.body.data.map(({ batch_id }: { readonly batch_id: string }) => batch_id)).toEqual([made[2]])
      expect((yield* get("/api/v1/services/batches?cursor=x", shop)).status).toBe(422)
      expect((yield* get("/api/v1/services/batches?state=nonsense", shop)).status).toBe(400)
    })
  )
})
