import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { UserId } from "../src/Identifiers.ts"
import * as Topic from "../src/Topic.ts"
import * as TopicFrame from "../src/TopicFrame.ts"

const user = (id: string, roles: ReadonlyArray<string> = ["user"], scopes?: ReadonlyArray<string>) => ({
  userId: UserId.make(id),
  roles,
  ...(scopes === undefined ? {} : { scopes })
})

const meaning = (topic: string): Topic.Meaning => {
  const found = Topic.meaningOf(topic)
  if (found === undefined) throw new Error(`${topic} means nothing`)
  return found
}

const watch = (caller: ReturnType<typeof user>, topic: string) => Topic.mayWatch(caller, meaning(topic))._tag

describe("the name of a topic", () => {
  const isTopic = Schema.is(Topic.Topic)

  it("is a kind, or a kind and the rest, up to 256 characters", () => {
    for (const name of ["presence", "app:news", "tracking:driver:42", "presence:zoë:a:b", `app:${"x".repeat(252)}`]) {
      assert.isTrue(isTopic(name), name)
    }
    for (const name of ["", ":", "app:", "App:x", "a b", "app:\u0000", "app:a\nb", `app:${"x".repeat(253)}`]) {
      assert.isFalse(isTopic(name), name)
    }
  })

  it("says what it is about; ids may have colons", () => {
    assert.deepStrictEqual(meaning("tracking:driver:a:b"), { _tag: "Driver", driverId: UserId.make("a:b") })
    assert.deepStrictEqual(meaning("presence:p1"), { _tag: "PresenceOf", userId: UserId.make("p1") })
    assert.deepStrictEqual(meaning("batch:7"), { _tag: "Batch", batchId: "7" })
    for (const name of [
      "tracking:driver:",
      "tracking:7",
      "weather:7",
      "presence:",
      "batch",
      `presence:${"x".repeat(129)}`
    ]) {
      assert.isUndefined(Topic.meaningOf(name), name)
    }
    for (const topic of [
      Topic.driverTopic(UserId.make("7")),
      Topic.presenceTopic(UserId.make("7")),
      Topic.batchTopic("7")
    ]) {
      assert.isTrue(isTopic(topic) && Topic.meaningOf(topic) !== undefined, topic)
    }
  })
})

describe("who watches", () => {
  it("a driver: his customers are asked for, he himself and admins are let, services are not", () => {
    assert.strictEqual(watch(user("c", ["customer"]), "tracking:driver:d"), "AsCustomerOf")
    assert.strictEqual(watch(user("x", ["driver"]), "tracking:driver:d"), "AsCustomerOf")
    assert.strictEqual(watch(user("s", ["service"]), "tracking:driver:d"), "AsCustomerOf")
    assert.strictEqual(watch(user("d", ["driver"]), "tracking:driver:d"), "Granted")
    assert.strictEqual(watch(user("a", ["admin"]), "tracking:driver:d"), "Granted")
    assert.strictEqual(watch(user("c", ["customer"], ["inbox:write"]), "tracking:driver:d"), "Refused")
    assert.strictEqual(watch(user("d", ["driver"], ["inbox:write"]), "tracking:driver:d"), "Refused")
  })

  it("presence of one: himself, services and admins; else friends are asked for", () => {
    assert.strictEqual(watch(user("u"), "presence:u"), "Granted")
    assert.strictEqual(watch(user("v"), "presence:u"), "AsFriendOf")
    assert.strictEqual(watch(user("s", ["service"]), "presence:u"), "Granted")
    assert.strictEqual(watch(user("s", ["service"], ["inbox:read"]), "presence:u"), "Refused")
    assert.strictEqual(watch(user("u", ["user"], ["inbox:read"]), "presence:u"), "Refused")
  })

  it("presence of all: services and admins", () => {
    assert.strictEqual(watch(user("u"), "presence"), "Refused")
    assert.strictEqual(watch(user("s", ["service"]), "presence"), "Granted")
    assert.strictEqual(watch(user("s", ["admin"]), "presence"), "Granted")
  })

  it("batches by their scope, app topics everybody", () => {
    assert.strictEqual(watch(user("u"), "batch:1"), "Refused")
    assert.strictEqual(watch(user("s", ["service"]), "batch:1"), "Granted")
    assert.strictEqual(watch(user("u"), "app:x"), "Granted")
    assert.strictEqual(watch(user("u", ["user"], ["inbox:write"]), "app:x"), "Refused")
  })
})

describe("who publishes", () => {
  const why = (caller: ReturnType<typeof user>, topic: string) => Topic.whyNotPublish(caller, meaning(topic))

  it("a driver his own location, and nobody for him", () => {
    assert.isUndefined(why(user("d", ["driver"]), "tracking:driver:d"))
    for (const other of [
      user("e", ["driver"]),
      user("d", ["customer"]),
      user("a", ["admin"]),
      user("s", ["service"])
    ]) {
      assert.isString(why(other, "tracking:driver:d"))
    }
    assert.isString(why(user("d", ["driver"], ["inbox:read"]), "tracking:driver:d"))
  })

  it("services to app topics; to batches and presence nobody but the server", () => {
    assert.isUndefined(why(user("s", ["service"]), "app:x"))
    assert.isString(why(user("u"), "app:x"))
    for (const topic of ["batch:1", "presence", "presence:u"]) assert.isString(why(user("u", ["admin"]), topic))
  })

  it("at most 4,096 characters of JSON", () => {
    const fits = Schema.is(Topic.TopicData)
    assert.isTrue(fits("x".repeat(4_094)))
    assert.isFalse(fits("x".repeat(4_095)))
  })
})

it("a frame is the JSON of its parts", () => {
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(TopicFrame.TopicFrame))
  const topic = 'app:"quoted" \u{1f44b}'
  const data = { a: [1, null, "ü"] }
  assert.deepStrictEqual(decode(TopicFrame.encodeMessage(topic, JSON.stringify(data))), { _tag: "Topic", topic, data })
  assert.deepStrictEqual(decode(TopicFrame.encodeEnd(topic, "over")), { _tag: "TopicEnd", topic, reason: "over" })
})
