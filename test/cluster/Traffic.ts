/**
 * Steady traffic for many users of one tenant: senders, devices that stay, and devices that come and go.
 *
 * **Details**
 *
 * A sender tries the same event again, with its dedupe key, through another node that serves, until it is answered. Devices
 * connect through the load balancer. A visitor is a device that connects, waits until it has everything, and goes.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import {
  Clock,
  Data,
  Duration,
  Effect,
  Fiber,
  FiberSet,
  Queue,
  Schedule,
  Schema,
  Stream,
  SubscriptionRef
} from "effect"
import type { Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { InboxClient } from "@beckon/client/InboxClient"
import type { InboxClientService } from "@beckon/client/InboxClient"
import { call, token } from "../integration/road/Road.ts"
import * as Checker from "./Checker.ts"
import type { ClusterShape } from "./ClusterNodes.ts"

class NotAnswered extends Data.TaggedError("NotAnswered")<{ readonly why: unknown }> {}

export interface Traffic {
  readonly checker: Checker.Checker
  /** How often a sender had to try again. */
  readonly retries: () => number
  /** Milliseconds that each visitor waited until it had everything, in order. */
  readonly visits: ReadonlyArray<number>
  /** Ends the sending, waits until everything is answered and seen, and compares. Fails when that takes 30 seconds. */
  readonly finish: Effect.Effect<Checker.Figures, NotFinished>
}

export class NotFinished extends Data.TaggedError("NotFinished")<{ readonly why: string }> {
  override get message() {
    return this.why
  }
}

export interface TrafficOptions {
  readonly cluster: ClusterShape
  /** Nobody else's. */
  readonly tenant: string
  readonly users?: number
  /** Events per second, over all users. */
  readonly rate?: number
  /** Milliseconds between visitors. */
  readonly visitEvery?: number
  /** From 0 to below 1. */
  readonly chance: () => number
  /** How an event goes in instead of over HTTP; it counts as answered when this succeeds. */
  readonly publish?: ((event: Event) => Effect.Effect<void, unknown>) | undefined
}

export interface Event {
  readonly tenant: string
  readonly user: string
  /** Names it, and is its dedupe key. */
  readonly key: string
}

/** Of one attempt of a sender. */
const patience = Duration.seconds(4)

/** Of the whole end. */
const endTimeout = Duration.seconds(30)

const Notified = Schema.Struct({
  values: Schema.Array(
    Schema.Struct({ _tag: Schema.String, notification: Schema.optional(Schema.Struct({ seq: Schema.Finite })) })
  )
})
const decodeChunk = Schema.decodeUnknownOption(Notified)

/** A WebSocket that notes the notifications of each connection as they come. */
const tapped = (wire: Array<Array<number>>) =>
  class extends WebSocket {
    constructor(url: string, protocols: Array<string>) {
      super(url, protocols)
      const seqs: Array<number> = []
      wire.push(seqs)
      this.addEventListener("message", ({ data }) => {
        const chunk = decodeChunk(JSON.parse(String(data)))
        if (chunk._tag === "None") return
        for (const { notification } of chunk.value.values) if (notification !== undefined) seqs.push(notification.seq)
      })
    }
  }

const eager = {
  backoff: { base: "100 millis", max: "1 second" },
  openTimeout: "3 seconds",
  ping: { interval: "2 seconds", timeout: "2 seconds" }
} as const

const rowsOf = (cluster: ClusterShape, tenant: string) =>
  PgClient.make({ url: cluster.postgres.url, maxConnections: 1 }).pipe(
    Effect.flatMap(
      (sql) => sql<Checker.Row>`
        select user_id, seq::int as seq, id, dedupe_key from notifications where tenant_id = ${tenant}`
    ),
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.orDie
  )

/** Begins when all devices are live. */
export const start = Effect.fnUntraced(function* ({
  chance,
  cluster,
  publish,
  rate = 120,
  tenant,
  users = 40,
  visitEvery = 150
}: TrafficOptions): Effect.fn.Return<Traffic, NotFinished, Scope.Scope> {
  const checker = Checker.make()
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  const names = Array.from({ length: users }, (_, index) => `${tenant}-${index}`)
  const service = token({ sub: "shop", tenant, roles: ["service"] })

  const inTime = <A>(effect: Effect.Effect<A>, what: () => string): Effect.Effect<A, NotFinished> =>
    Effect.timeoutOrElse(effect, {
      duration: endTimeout,
      orElse: () =>
        Effect.fail(new NotFinished({ why: `${tenant}: not within ${Duration.format(endTimeout)}: ${what()}` }))
    })

  const stateOf = (client: InboxClientService) => {
    const { lastError, status, unread } = SubscriptionRef.getUnsafe(client.state)
    return JSON.stringify({ status, unread, error: lastError?.message })
  }

  const connect = Effect.fnUntraced(function* (user: string, name: string) {
    const device = checker.device(user, name)
    const client = yield* InboxClient.make({
      ...eager,
      url: cluster.url,
      token: token({ sub: user, tenant }),
      WebSocket: tapped(device.wire)
    })
    const live = yield* Queue.unbounded<void>()
    let subscriptions = 0
    yield* Effect.forkScoped(
      Stream.runForEach(client.frames, (event) =>
        Effect.sync(() => {
          if (event._tag === "Subscribed") {
            subscriptions += 1
            if (subscriptions > 1) device.recovered.push(event.recovered)
          }
          if (event._tag === "CaughtUp") Queue.offerUnsafe(live, undefined)
          if (event._tag === "Notification") {
            checker.saw(device, event.notification.seq, event.notification.id, now())
          }
        })
      )
    )
    yield* inTime(Queue.take(live), () => `${name} has everything: ${stateOf(client)}, ${device.wire.length} sockets`)
  })
  // Every fourth user has two devices.
  const devices = names.flatMap((user, index) => (index % 4 === 0 ? [`${user}/a`, `${user}/b`] : [`${user}/a`]))
  yield* Effect.forEach(devices, (name) => connect(name.split("/")[0] ?? "", name), {
    concurrency: 16,
    discard: true
  })

  let retries = 0
  const attempt = Effect.fnUntraced(function* (user: string, key: string) {
    const serving = cluster.nodes.filter((node) => node.serving)
    const node = serving[Math.floor(chance() * serving.length)]
    if (node === undefined) return yield* new NotAnswered({ why: "no node" })
    const { body, status } = yield* call(node.url, "/api/v1/services/notifications/send", {
      token: service,
      body: { user_id: user, type: "order_created", title: key, message: "x".repeat(80), dedupe_key: key }
    }).pipe(
      Effect.timeout(patience),
      Effect.mapError((why) => new NotAnswered({ why }))
    )
    if (status >= 400 && status < 500) return yield* Effect.die(new Error(`${status} ${JSON.stringify(body)}`))
    if (status !== 202) return yield* new NotAnswered({ why: status })
    const { id, seq } = body.data
    return { id, seq }
  })

  const send = Effect.fnUntraced(function* (index: number) {
    const user = names[index % names.length] ?? ""
    const key = `${tenant}-k${index}`
    const one: Checker.Sent = { user, sentAt: now() }
    const answer = yield* (
      publish === undefined ? attempt(user, key) : Effect.as(publish({ tenant, user, key }), {})
    ).pipe(
      Effect.tapError(() => Effect.sync(() => (retries += 1))),
      Effect.retry(Schedule.spaced("100 millis").pipe(Schedule.jittered))
    )
    checker.sent.set(key, { ...one, ...answer, answeredAt: now() })
  })

  const visits: Array<number> = []
  const visitors = new Map<InboxClientService, string>()
  const visit = Effect.gen(function* () {
    const user = names[Math.floor(chance() * names.length)] ?? ""
    const client = yield* InboxClient.make({ ...eager, url: cluster.url, token: token({ sub: user, tenant }) })
    const begun = now()
    visitors.set(client, user)
    yield* Stream.runForEachWhile(client.frames, (event) => Effect.succeed(event._tag !== "CaughtUp"))
    visits.push(now() - begun)
    visitors.delete(client)
  }).pipe(Effect.scoped, Effect.orDie)

  const running = yield* FiberSet.make<void>()
  const visiting = yield* FiberSet.make<void>()
  let index = 0
  const sender = yield* Effect.forkScoped(
    Effect.repeat(
      Effect.suspend(() => FiberSet.run(running, send(index++))),
      Schedule.fixed(1000 / rate)
    )
  )
  const visitor = yield* Effect.forkScoped(
    Effect.repeat(
      Effect.suspend(() => FiberSet.run(visiting, visit)),
      Schedule.spaced(visitEvery)
    )
  )

  const finish = Effect.gen(function* () {
    yield* Fiber.interrupt(sender)
    yield* Fiber.interrupt(visitor)
    yield* inTime(
      FiberSet.awaitEmpty(running),
      () => `${index - checker.sent.size} of ${index} events are not answered`
    )
    if (publish !== undefined) {
      const saved = rowsOf(cluster, tenant).pipe(
        Effect.map((rows) => checker.learn(rows)),
        Effect.repeat({ until: (missing) => missing === 0, schedule: Schedule.spaced("200 millis") })
      )
      yield* inTime(saved, () => "published events are not saved")
    }
    yield* inTime(checker.seenAll, () => {
      const behind = checker.devices.filter(
        (device) =>
          !Array.from(checker.sent.values()).every(
            (one) => one.user !== device.user || device.seqs.includes(one.seq ?? 0)
          )
      )
      return `these devices are behind: ${behind.map(({ name }) => name).join()}`
    })
    yield* inTime(FiberSet.awaitEmpty(visiting), () =>
      Array.from(visitors, ([client, user]) => `a visitor of ${user} waits: ${stateOf(client)}`).join("; ")
    )
    return checker.verdict(yield* rowsOf(cluster, tenant))
  })

  return { checker, retries: () => retries, visits, finish }
})
