import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { fcmMessageOf, webTopicOf } from "../../src/push/FcmMessage.ts"
import * as FcmProvider from "../../src/push/FcmProvider.ts"
import { startFcm } from "./FakeFcm.ts"
import { messageTo, outgoing, toDevice } from "./PushFixture.ts"

const now = 1_700_000_000_500

const options = {
  badge: 3,
  sound: "bell",
  channelId: "orders",
  imageUrl: "https://example.com/map.png",
  link: "https://example.com/o/1",
  collapseKey: "order-1",
  ttlSeconds: 3_600
}

describe("FcmMessage", () => {
  it.live("what each platform gets, as FCM reads it", () =>
    Effect.gen(function* () {
      const fcm = yield* startFcm
      const provider = yield* FcmProvider.make({
        serviceAccount: fcm.account,
        connectTo: { host: "127.0.0.1", port: fcm.port, ca: fcm.ca }
      })
      const message = messageTo({ _tag: "Topic", topic: "news" }, { options })
      yield* provider.send([outgoing(message)])
      const { apns, ...sent } = fcm.sends[0] ?? {}
      const { title, body, data } = message
      expect(sent).toEqual({
        topic: "news",
        data,
        notification: { title, body, image: options.imageUrl },
        android: {
          priority: "high",
          ttl: "3600s",
          collapse_key: "order-1",
          notification: {
            channel_id: "orders",
            sound: "bell",
            tag: "order-1",
            image: options.imageUrl,
            notification_count: 3
          }
        },
        webpush: {
          headers: { TTL: "3600", Urgency: "high", Topic: webTopicOf("order-1") },
          notification: { title, body, icon: options.imageUrl, image: options.imageUrl, tag: "order-1" },
          fcmOptions: { link: options.link }
        }
      })
      expect(apns).toEqual({
        headers: {
          "apns-push-type": "alert",
          "apns-priority": "10",
          "apns-collapse-id": "order-1",
          "apns-expiration": expect.stringMatching(/^\d{10}$/)
        },
        payload: {
          aps: { alert: { title, body }, badge: 3, sound: "bell", "thread-id": "orders", "mutable-content": 1 }
        },
        fcmOptions: { image: options.imageUrl }
      })
    })
  )

  it("a device gets the part of its platform only", () => {
    const parts = (platform: "ios" | "android" | "web") =>
      Object.keys(fcmMessageOf(messageTo(toDevice("t", platform)), now))
    expect(parts("android")).toEqual(["data", "notification", "android", "token"])
    expect(parts("ios")).toEqual(["data", "notification", "apns", "token"])
    expect(parts("web")).toEqual(["data", "notification", "webpush", "token"])
  })

  it("without a key of the sender a second try replaces the first on the screen, and collapses nothing in the queue", () => {
    const android = fcmMessageOf(messageTo(toDevice("t")), now).android
    expect(android?.notification?.tag).toBe("n-1")
    expect(android).not.toHaveProperty("collapseKey")
    expect(fcmMessageOf(messageTo(toDevice("t", "ios")), now).apns?.headers).toMatchObject({
      "apns-collapse-id": "n-1"
    })
  })

  it("keeps the limits of the services: 64 bytes for APNs, 32 characters of base64url for the web", () => {
    const collapseKey = "ü".repeat(33)
    const sent = fcmMessageOf(messageTo({ _tag: "Topic", topic: "t" }, { options: { collapseKey } }), now)
    expect(sent.apns?.headers?.["apns-collapse-id"]).toMatch(/^[\w-]{43}$/)
    expect(sent.webpush?.headers?.["Topic"]).toMatch(/^[\w-]{32}$/)
    const fits = fcmMessageOf(messageTo(toDevice("t", "ios"), { options: { collapseKey: "ü".repeat(32) } }), now)
    expect(fits.apns?.headers?.["apns-collapse-id"]).toBe("ü".repeat(32))
  })

  it("a push that is not urgent does not wake a phone; one without a life is tried once", () => {
    const calm = { urgent: false, options: { ttlSeconds: 0 } }
    const sent = fcmMessageOf(messageTo({ _tag: "Topic", topic: "t" }, calm), now)
    expect(sent.android).toMatchObject({ priority: "normal", ttl: 0 })
    expect(sent.apns?.headers).toMatchObject({ "apns-priority": "5", "apns-expiration": "0" })
    expect(sent.webpush?.headers).toMatchObject({ Urgency: "normal", TTL: "0" })
    const hour = fcmMessageOf(messageTo(toDevice("t", "ios"), { options: { ttlSeconds: 3_600 } }), now)
    expect(hour.apns?.headers?.["apns-expiration"]).toBe("1700003600")
  })

  it("a link that is not https costs the link, not the push", () => {
    const sent = fcmMessageOf(messageTo(toDevice("t", "web"), { options: { link: "http://example.com/" } }), now)
    expect(sent.webpush).not.toHaveProperty("fcmOptions")
  })
})
