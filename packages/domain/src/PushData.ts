/**
 * What may stand in the data of a push.
 *
 * **Details**
 *
 * The rules are those of FCM (`Message.data` in its HTTP v1 reference), which are the tightest of the push services: 4,096 bytes for
 * keys and values together, and some keys that it keeps for itself.
 */

/** Bytes of all keys and values, in UTF-8. */
export const maxPushDataBytes = 4_096

export interface PushDataFault {
  readonly code: "data_too_large" | "data_key_reserved"
  /** Names the key, or the size and the limit. */
  readonly detail: string
}

const encoder = new TextEncoder()

const bytesOf = (text: string): number => encoder.encode(text).length

const isReserved = (key: string): boolean => /^(from$|message_type$|google\.|gcm\.)/.test(key)

export const pushDataBytes = (data: Readonly<Record<string, string>>): number =>
  Object.entries(data).reduce((sum, [key, value]) => sum + bytesOf(key) + bytesOf(value), 0)

/** Why no push service will take this data; `undefined` when it will. */
export const pushDataFault = (data: Readonly<Record<string, string>>): PushDataFault | undefined => {
  const reserved = Object.keys(data).find(isReserved)
  if (reserved !== undefined) {
    return { code: "data_key_reserved", detail: `the push service keeps the data key ${reserved} for itself` }
  }
  const bytes = pushDataBytes(data)
  return bytes <= maxPushDataBytes
    ? undefined
    : { code: "data_too_large", detail: `the push data has ${bytes} bytes, and the limit is ${maxPushDataBytes}` }
}
