/**
 * Examples of what admins of a tenant call, and those who run the deployment.
 */
import type { Examples } from "./Example.ts"

const as = "admin"
const asPlatform = "platform"

export const content: Examples = {
  "templates.create": {
    as,
    body: {
      code: "parcel",
      description: "A parcel is on its way",
      texts: {
        default: { title: "Parcel for {{ name }}", message: "It comes at {{ time }}." },
        de: {
          title: "Paket für {{ name }}",
          message: "Es kommt um {{ time }}.",
          email: { subject: "Ihr Paket", html: "<p>Es kommt um <b>{{ time }}</b>.</p>" }
        }
      },
      variables: {
        type: "object",
        properties: { name: { type: "string" }, time: { type: "string" } },
        required: ["name", "time"]
      }
    }
  },
  "templates.list": { as, query: { limit: "20" } },
  "templates.get": { as, path: { code: "parcel" }, keeps: { template_tag: "etag" } },
  "templates.put": {
    as,
    path: { code: "parcel" },
    headers: { "If-Match": "{template_tag}" },
    body: { texts: { default: { title: "Parcel for {{ name }}", message: "At {{ time }}." } }, activate: false }
  },
  "templates.versions": { as, path: { code: "parcel" } },
  "templates.activate": { as, path: { code: "parcel" }, body: { version: 2 } },
  "templates.preview": {
    as,
    path: { code: "parcel" },
    body: { variables: { name: "Bea", time: "10:30" }, language: "de-AT", version: 1 }
  },
  "templates.remove": { as, path: { code: "parcel" } },
  "routing.get": { as },
  "routing.set": {
    as,
    body: {
      policy: {
        defaults: { steps: [{ channel: "push", when: "unacknowledged" }] },
        types: {
          parcel: {
            category: "orders",
            steps: [
              { channel: "push", when: "unacknowledged" },
              { channel: "email", when: "unseen", after_seconds: 600 }
            ]
          }
        },
        time_zone: "Europe/Vienna"
      },
      version: 0
    }
  },
  "lookupAdmin.put": {
    as,
    path: { kind: "notification_types", code: "parcel" },
    body: { labels: { en: "Parcels", de: "Pakete" }, attributes: { icon: "box" }, order: 10 }
  },
  "lookupAdmin.remove": { as, path: { kind: "notification_types", code: "parcel" } }
}

export const credentials: Examples = {
  "providers.create": {
    as,
    body: {
      kind: "whatsapp",
      name: "WhatsApp of the shop",
      order: 10,
      settings: { phone_number_id: "106540352242922", base_url: "https://graph.facebook.com" },
      credentials: {
        access_token: "the-access-token-of-the-app",
        app_secret: "the-secret-of-the-app",
        verify_token: "the-token-that-was-set"
      },
      rate: 20
    },
    keeps: { provider_id: "data.id" }
  },
  "providers.list": { as },
  "providers.get": { as, path: { id: "{provider_id}" } },
  "providers.update": { as, path: { id: "{provider_id}" }, body: { order: 20, rate: null } },
  "providers.test": { as, path: { id: "{provider_id}" }, body: { to: "+4915112345678" } },
  "apiKeys.create": {
    as,
    body: { name: "Checkout", role: "service", scopes: ["notifications:write"], expires_at: "{next_year}" },
    keeps: { api_key_id: "data.api_key.id" }
  },
  "apiKeys.list": { as, query: { limit: "20" } },
  "apiKeys.get": { as, path: { id: "{api_key_id}" } },
  "apiKeys.rotate": { as, path: { id: "{api_key_id}" }, body: { overlap_seconds: 3_600 } },
  "apiKeys.revoke": { as, path: { id: "{api_key_id}" } },
  "revocations.create": { as, body: { user_id: "carl", before: "{this_moment}" } }
}

export const tenants: Examples = {
  "admin.notifications": { as, query: { user_id: "ada", type: "order_created", limit: "10" } },
  "personalData.export": { as, path: { id: "bea" } },
  "personalData.erase": { as, path: { id: "carl" } },
  "tenant.get": { as, keeps: { tenant_tag: "etag" } },
  "tenant.update": {
    as,
    headers: { "If-Match": "{tenant_tag}" },
    body: {
      name: "The shop",
      settings: {
        default_language: "de",
        time_zone: "Europe/Vienna",
        allowed_origins: ["https://shop.example"],
        recipients: { source: "external", url: "https://users.shop.example", cache_ms: 300_000 },
        retention: { notifications: 90 }
      }
    }
  },
  "tenant.setCredential": { as, body: { type: "bearer", token: "the-token-of-the-service-account" } },
  "tenant.credential": { as },
  "tenant.testUserService": { as, body: { user_id: "ada" } },
  "tenant.removeCredential": { as },
  "tenants.create": {
    as: asPlatform,
    body: { id: "bakery", name: "The bakery", settings: { rate_limits: { user: { per_second: 5, burst: 50 } } } }
  },
  "tenants.list": { as: asPlatform, query: { status: "active", limit: "20" } },
  "tenants.get": { as: asPlatform, path: { id: "bakery" } },
  "tenants.update": {
    as: asPlatform,
    path: { id: "bakery" },
    headers: { "If-Match": '"1"' },
    body: { settings: { default_language: "de", rate_limits: null } }
  },
  "tenants.suspend": { as: asPlatform, path: { id: "bakery" } },
  "tenants.activate": { as: asPlatform, path: { id: "bakery" } },
  "tenants.remove": { as: asPlatform, path: { id: "bakery" } },
  "audit.list": { as, query: { action: "template.create", limit: "20" } }
}
