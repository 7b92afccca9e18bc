/**
 * One mailbox as people write it: `ada@example.com` or `Ada Lovelace <ada@example.com>`.
 *
 * **Details**
 *
 * The form is narrower than RFC 5322: no lists, groups, comments, quoted local parts or control characters, so that nothing in an
 * address can add a recipient or a header.
 */
export interface EmailAddress {
  readonly name: string
  readonly address: string
}

/** RFC 5321, 4.5.3.1: 64 octets before the @, 254 for the whole that fits into a path. */
const plain = /^[^\s\u0000-\u001f\u007f<>()[\]\\,;:"@]{1,64}@[^\s\u0000-\u001f\u007f<>()[\]\\,;:"@]{1,253}$/u
const named = /^(?<name>[^\u0000-\u001f\u007f<>]*)<(?<address>[^<>]*)>$/u

const isPlain = (text: string): boolean =>
  plain.test(text) && Buffer.byteLength(text) <= 254 && !text.startsWith(".") && !/\.\.|\.@|@\.|\.$/.test(text)

/** `undefined` for what is no single mailbox. */
export const emailAddressOf = (text: string): EmailAddress | undefined => {
  const trimmed = text.trim()
  if (isPlain(trimmed)) return { name: "", address: trimmed }
  const groups = named.exec(trimmed)?.groups
  const address = (groups?.["address"] ?? "").trim()
  const name = (groups?.["name"] ?? "").trim().replace(/^"(.*)"$/, "$1")
  return isPlain(address) ? { name, address } : undefined
}

export const domainOf = ({ address }: EmailAddress): string => address.slice(address.lastIndexOf("@") + 1)
