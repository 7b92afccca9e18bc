/**
 * Examples of what a user calls: his inbox, his devices and wishes, his friends.
 */
import type { Examples } from "./Example.ts"

const as = "user"

export const inbox: Examples = {
  "me.list": { as, query: { status: "unread", priority: "high", limit: "20" } },
  "me.get": { as, path: { id: "{notification_id}" } },
  "me.unreadCount": { as },
  "me.markRead": { as, body: { ids: ["{notification_id}"] } },
  "me.markUnread": { as, body: { ids: ["{notification_id}"] } },
  "me.remove": { as, body: { ids: ["{notification_id}"] } },
  "me.preferences": { as, keeps: { preferences_tag: "etag" } },
  "me.setPreferences": {
    as,
    headers: { "If-Match": "{preferences_tag}" },
    body: {
      channels: { email: true, sms: false },
      types: { parcel: { sms: true } },
      muted_types: ["newsletter"],
      quiet_hours: { start: "22:00", end: "07:00", channels: ["push"] },
      time_zone: "Europe/Vienna",
      language: "de-AT"
    }
  },
  "me.registerDevice": { as, body: { platform: "android", token: "the-token-that-the-push-service-gave-the-app" } },
  "me.devices": { as },
  "me.removeDevice": { as, body: { token: "the-token-that-the-push-service-gave-the-app" } },
  "location.tell": {
    as: "driver",
    body: { latitude: 48.2082, longitude: 16.3738, heading: 90, speed: 8.5 }
  },
  "lookups.list": { as, path: { kind: "notification_types" }, query: { language: "de" } }
}

export const friends: Examples = {
  "friendships.sendRequest": {
    as,
    body: { requesterId: "ada", recipientId: "bea" },
    keeps: { friendship_id: "friendshipId" }
  },
  "friendships.respond": {
    as: "friend",
    body: { friendshipId: "{friendship_id}", responderId: "bea", accept: true }
  },
  "friendships.list": { as, query: { status: "ACCEPTED", limit: "10" } }
}
