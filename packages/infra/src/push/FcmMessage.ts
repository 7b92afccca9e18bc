/**
 * A push as FCM's HTTP v1 wants it, with what each platform needs to show it.
 *
 * **Details**
 *
 * Replacing: a later push with the same key replaces the one on the screen (`tag`, `apns-collapse-id`, `tag` of the web). Without a key of the
 * sender it is the notification's id, so that a second try of one delivery is not shown twice. `collapse_key`, which also replaces
 * what waits for a device that is off, is given only with a key of the sender: FCM keeps at most four of them for a device and drops others.
 */
import type { Message } from "firebase-admin/messaging"
import { createHash } from "node:crypto"
import { Redacted } from "effect"
import type { PushMessage } from "@beckon/domain/ports/ChannelProvider"

/** What FCM and Web Push take when nothing is said: four weeks. */
export const defaultTtlSeconds = 2_419_200

const digestOf = (text: string): string => createHash("sha256").update(text).digest("base64url")

/** `Topic` of RFC 8030: at most 32 characters of base64url. */
export const webTopicOf = (collapseKey: string): string => digestOf(collapseKey).slice(0, 32)

/** What a later push with the same key replaces. */
export const collapseKeyOf = ({ data, options }: PushMessage): string | undefined =>
  options.collapseKey ?? data["notification_id"]

/** APNs takes 64 bytes. */
const collapseIdOf = (key: string): string => (Buffer.byteLength(key) <= 64 ? key : digestOf(key))

const androidOf = (message: PushMessage): NonNullable<Message["android"]> => {
  const { badge, channelId, collapseKey, imageUrl, sound, ttlSeconds } = message.options
  const tag = collapseKeyOf(message)
  return {
    priority: message.urgent ? "high" : "normal",
    ...(ttlSeconds === undefined ? {} : { ttl: ttlSeconds * 1_000 }),
    ...(collapseKey === undefined ? {} : { collapseKey }),
    notification: {
      ...(channelId === undefined ? {} : { channelId }),
      ...(sound === undefined ? {} : { sound }),
      ...(tag === undefined ? {} : { tag }),
      ...(imageUrl === undefined ? {} : { imageUrl }),
      ...(badge === undefined ? {} : { notificationCount: badge })
    }
  }
}

const apnsOf = (message: PushMessage, now: number): NonNullable<Message["apns"]> => {
  const { badge, channelId, imageUrl, sound, ttlSeconds } = message.options
  const key = collapseKeyOf(message)
  // An expiration of 0 tells APNs to try once and keep nothing.
  const expiration = ttlSeconds === undefined ? undefined : ttlSeconds === 0 ? 0 : Math.floor(now / 1_000) + ttlSeconds
  return {
    headers: {
      "apns-push-type": "alert",
      "apns-priority": message.urgent ? "10" : "5",
      ...(key === undefined ? {} : { "apns-collapse-id": collapseIdOf(key) }),
      ...(expiration === undefined ? {} : { "apns-expiration": String(expiration) })
    },
    payload: {
      aps: {
        alert: { title: message.title, body: message.body },
        ...(badge === undefined ? {} : { badge }),
        ...(sound === undefined ? {} : { sound }),
        ...(channelId === undefined ? {} : { threadId: channelId }),
        ...(imageUrl === undefined ? {} : { mutableContent: true })
      }
    },
    ...(imageUrl === undefined ? {} : { fcmOptions: { imageUrl } })
  }
}

const webpushOf = (message: PushMessage): NonNullable<Message["webpush"]> => {
  const { imageUrl, link, ttlSeconds } = message.options
  const key = collapseKeyOf(message)
  return {
    headers: {
      TTL: String(ttlSeconds ?? defaultTtlSeconds),
      Urgency: message.urgent ? "high" : "normal",
      ...(key === undefined ? {} : { Topic: webTopicOf(key) })
    },
    notification: {
      title: message.title,
      body: message.body,
      ...(imageUrl === undefined ? {} : { icon: imageUrl, image: imageUrl }),
      ...(key === undefined ? {} : { tag: key })
    },
    // FCM refuses the whole message for a link that is not https.
    ...(link?.startsWith("https://") === true ? { fcmOptions: { link } } : {})
  }
}

/** `now` in ms since 1970. A device gets the part of its platform only, a topic all of them. */
export const fcmMessageOf = (message: PushMessage, now: number): Message => {
  const { imageUrl } = message.options
  const shown = {
    data: { ...message.data },
    notification: {
      title: message.title,
      body: message.body,
      ...(imageUrl === undefined ? {} : { imageUrl })
    }
  }
  if (message.to._tag === "Topic") {
    const parts = { android: androidOf(message), apns: apnsOf(message, now), webpush: webpushOf(message) }
    return { ...shown, ...parts, topic: message.to.topic }
  }
  const token = Redacted.value(message.to.token)
  switch (message.to.platform) {
    case "android":
      return { ...shown, android: androidOf(message), token }
    case "ios":
      return { ...shown, apns: apnsOf(message, now), token }
    case "web":
      return { ...shown, webpush: webpushOf(message), token }
  }
}
