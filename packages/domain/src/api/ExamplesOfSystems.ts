/**
 * Examples of what other systems call: providers that tell of deliveries, and what watches the deployment.
 */
import type { Examples } from "./Example.ts"

const whatsappNews = {
  object: "whatsapp_business_account",
  entry: [
    {
      id: "1",
      changes: [
        {
          field: "messages",
          value: {
            messaging_product: "whatsapp",
            statuses: [{ id: "wamid.1", status: "delivered", timestamp: "1799409600" }]
          }
        }
      ]
    }
  ]
}

const whatsappChallenge = {
  "hub.mode": "subscribe",
  "hub.verify_token": "{verify_token}",
  "hub.challenge": "1158201444"
}

export const callbacks: Examples = {
  "callbacks.sendgrid": {
    headers: {
      "X-Twilio-Email-Event-Webhook-Signature": "{sendgrid_signature}",
      "X-Twilio-Email-Event-Webhook-Timestamp": "{sendgrid_timestamp}"
    },
    body: [
      {
        event: "delivered",
        email: "bea@shop.example",
        timestamp: 1_799_409_600,
        sg_event_id: "ZGVsaXZlcmVkLTA",
        sg_message_id: "14c5d75ce93.dfd.64b469",
        delivery_id: "{delivery_id}"
      }
    ]
  },
  "callbacks.twilio": {
    headers: { "X-Twilio-Signature": "{twilio_signature}" },
    text: {
      contentType: "application/x-www-form-urlencoded",
      body: "MessageSid=SM0123456789abcdef0123456789abcdef&MessageStatus=delivered&To=%2B4915112345678"
    }
  },
  "callbacks.whatsapp": { headers: { "X-Hub-Signature-256": "{whatsapp_signature}" }, body: whatsappNews },
  "callbacks.whatsappChallenge": { query: whatsappChallenge },
  "callbacks.push": {
    body: { delivery_id: "{delivery_id}", receipt: "{push_receipt}", event: "opened" }
  },
  "callbacks.account": {
    path: { provider: "whatsapp", tenant: "shop", account: "{provider_id}" },
    headers: { "X-Hub-Signature-256": "{whatsapp_signature}" },
    body: whatsappNews
  },
  "callbacks.accountChallenge": {
    path: { tenant: "shop", account: "{provider_id}" },
    query: whatsappChallenge
  }
}

export const systems: Examples = {
  "health.live": {},
  "health.ready": {},
  "metrics.metrics": { as: "platform" },
  "dev.token": { body: { sub: "ada", tenant: "shop", roles: ["user"], name: "Ada" } }
}

/** What takes away what the others need. */
export const removals: Examples = {
  "friendships.cancel": {
    as: "user",
    body: { friendshipId: "{cancelled_friendship_id}", requesterId: "ada" }
  },
  "users.remove": { as: "service", path: { id: "bea" } },
  "providers.remove": { as: "admin", path: { id: "{provider_id}" } }
}
