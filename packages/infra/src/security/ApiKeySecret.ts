/**
 * What an API key looks like: `bk_<id>_<secret><checksum>`, made, recognised and hashed.
 *
 * **Details**
 *
 * The id is a UUIDv7 in base62, 22 characters that sort by time. The secret is 32 random characters of base62, 190 bits. The
 * checksum is the CRC-32 of what stands before it, 6 characters: a typing mistake is told apart without a question to the
 * database, and scanners of code know a leaked key from other text.
 *
 * **Gotchas**
 *
 * A key is kept as its SHA-256. Slow hashes protect what people choose; nobody tries out 190 random bits, and a slow hash on
 * every call would be a way to keep the server busy.
 */
import { Redacted } from "effect"
import { randomBytesUnsafe, uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { createHash, timingSafeEqual } from "node:crypto"
import { crc32 } from "node:zlib"

export const prefix = "bk_"

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const idLength = 22
const secretLength = 32
const checksumLength = 6

const pattern = new RegExp(`^${prefix}([0-9A-Za-z]{${idLength}})_[0-9A-Za-z]{${secretLength + checksumLength}}$`)

const base62 = (value: bigint, length: number): string => {
  let text = ""
  for (let rest = value; text.length < length; rest /= 62n) text = digits.charAt(Number(rest % 62n)) + text
  return text
}

/** Bytes of 248 and above would make some digits more likely than others: they are left out. */
const randomText = (length: number): string => {
  let text = ""
  while (text.length < length) {
    for (const byte of randomBytesUnsafe(length)) {
      if (byte < 248 && text.length < length) text += digits.charAt(byte % 62)
    }
  }
  return text
}

const checksumOf = (text: string): string => base62(BigInt(crc32(text)), checksumLength)

/** A new id. */
export const newId = (): string => base62(BigInt(`0x${uuidV7Unsafe().replaceAll("-", "")}`), idLength)

/** A key with a new secret. */
export const newKey = (id: string): Redacted.Redacted => {
  const text = `${prefix}${id}_${randomText(secretLength)}`
  return Redacted.make(text + checksumOf(text), { label: "API key" })
}

export const isApiKey = (token: string): boolean => token.startsWith(prefix)

/** The id of what may be a key; nothing for what never was one. */
export const idOf = (token: string): string | undefined => {
  const id = pattern.exec(token)?.[1]
  const text = token.slice(0, -checksumLength)
  return id !== undefined && token.endsWith(checksumOf(text)) ? id : undefined
}

/** 32 bytes. */
export const hashOf = (token: string): Uint8Array => new Uint8Array(createHash("sha256").update(token).digest())

/** In a time that says nothing about where two hashes differ. */
export const isSame = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && timingSafeEqual(left, right)
