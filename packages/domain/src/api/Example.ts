/**
 * An example call of an operation: the API document shows it, and the tests carry it out on a real server.
 *
 * **Details**
 *
 * A text may name what an earlier answer gave, or what a caller computes: `{notification_id}`. The document has a sample in its
 * place (`samples`), and the tests what the answer really had (`keeps`).
 */
import type { Schema } from "effect"

/** Whose credential it needs; the tests have one of each. `friend` is a second user. */
export type Caller = "user" | "friend" | "driver" | "service" | "admin" | "platform"

export interface Example {
  /** Nobody: a call without a credential. */
  readonly as?: Caller
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Schema.Json
  /** A body that is no JSON. */
  readonly text?: { readonly contentType: string; readonly body: string }
  /** What later examples name, by where it is in the answer: `data.0.id`. */
  readonly keeps?: Readonly<Record<string, string>>
}

/** By `operationId`, in an order in which they can be carried out. */
export type Examples = Readonly<Record<string, Example>>

/** What the document shows where a name stands. */
export const samples: Readonly<Record<string, string>> = {
  notification_id: "019ad0c5-6c1e-7d3a-9f52-6d1f0a1b2c3d",
  scheduled_id: "019ad0c5-7f40-7b6e-8a11-2f4e6a8c0d12",
  batch_id: "019ad0c6-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
  delivery_id: "019ad0c6-9b8a-7f6e-9d5c-4b3a2f1e0d9c",
  dead_delivery_id: "019ad0c7-2c4d-7e6f-8a0b-1c2d3e4f5a6b",
  webhook_id: "019ad0c7-8d9e-7a0b-9c1d-2e3f4a5b6c7d",
  provider_id: "019ad0c8-0f1e-7d2c-8b3a-4f5e6d7c8b9a",
  api_key_id: "019ad0c8-6a5b-7c4d-9e3f-2a1b0c9d8e7f",
  friendship_id: "019ad0c9-1b2c-7d3e-8f4a-5b6c7d8e9f0a",
  cancelled_friendship_id: "019ad0c9-7e6f-7a5b-9c4d-3e2f1a0b9c8d",
  template_tag: '"3"',
  preferences_tag: '"Wq0iM3hXvN2c8kB5yT7uPA"',
  user_preferences_tag: '"n4bQgYhMfWWaL-qgxVrQFa"',
  tenant_tag: '"2"',
  file_sha256: "621ef25980363e78cfd3c70e389364c20b57090d1e6cd1c644b774a2b00c758a",
  next_week: "2027-01-15T09:00:00.000Z",
  next_year: "2027-12-31T00:00:00.000Z",
  this_moment: "2027-01-08T12:00:00.000Z",
  twilio_signature: "0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
  sendgrid_signature:
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
  sendgrid_timestamp: "1799409600",
  whatsapp_signature: "sha256=f9a1d2c3b4e5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f",
  push_receipt: "nUYc0w3VhqQjXbL1kZ8t2A",
  verify_token: "the-token-that-was-set"
}

const named = /\{([a-z]+(?:_[a-z0-9]+)+)\}/g

/** The text with everything that it names; a name that is not there stays. */
export const fill = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replaceAll(named, (whole, name: string) => values[name] ?? whole)

/** The same, wherever there is text in it. */
export const fillAll = (value: Schema.Json, values: Readonly<Record<string, string>>): Schema.Json => {
  if (typeof value === "string") return fill(value, values)
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map((member: Schema.Json) => fillAll(member, values))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fillAll(member, values)]))
}
