import { describe, expect, it } from "@effect/vitest"
import { maxPushDataBytes, pushDataBytes, pushDataFault } from "../src/PushData.ts"

describe("PushData", () => {
  it("counts the bytes of keys and values in UTF-8", () => {
    expect(pushDataBytes({})).toBe(0)
    expect(pushDataBytes({ a: "b", ø: "👋" })).toBe(1 + 1 + 2 + 4)
  })

  it("takes 4,096 bytes and no byte more, and names size and limit", () => {
    const data = { data: "é".repeat((maxPushDataBytes - 4) / 2) }
    expect(pushDataFault(data)).toBeUndefined()
    expect(pushDataFault({ ...data, x: "" })).toEqual({
      code: "data_too_large",
      detail: "the push data has 4097 bytes, and the limit is 4096"
    })
  })

  it.each(["from", "message_type", "google.", "google.sent_time", "gcm.notification.title"])(
    "%s is a key of the push service's own",
    (key) => {
      expect(pushDataFault({ ok: "1", [key]: "1" })).toMatchObject({
        code: "data_key_reserved",
        detail: expect.stringContaining(key)
      })
    }
  )

  it.each(["From", "from_user", "message_types", "googled", "my.google.key", "gcm"])("%s is free", (key) => {
    expect(pushDataFault({ [key]: "1" })).toBeUndefined()
  })
})
