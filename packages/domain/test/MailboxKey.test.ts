import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { TenantId, UserId } from "../src/Identifiers.ts"
import * as MailboxKey from "../src/MailboxKey.ts"

const keyOf = (tenant: string, user: string): MailboxKey.MailboxKey => ({
  tenantId: TenantId.make(tenant),
  userId: UserId.make(user)
})

/** How many of 100,000 users each partition gets. */
const spread = (nameOf: (index: number) => readonly [string, string]): ReadonlyArray<number> => {
  const counts = Array.from({ length: MailboxKey.partitionCount }, () => 0)
  for (let index = 0; index < 100_000; index++) {
    const partition = MailboxKey.partitionOf(keyOf(...nameOf(index)))
    counts[partition] = (counts[partition] ?? 0) + 1
  }
  return counts
}

const even = 100_000 / MailboxKey.partitionCount

describe("MailboxKey.partitionOf", () => {
  it.each([
    ["numbers", (index: number) => ["default", String(index)] as const],
    ["padded names", (index: number) => ["default", `user-${String(index).padStart(8, "0")}`] as const],
    ["many tenants", (index: number) => [`tenant-${index % 1_000}`, `u${Math.floor(index / 1_000)}`] as const],
    [
      "UUIDs that differ in their end",
      (index: number) => ["acme", `0198c000-0000-7000-8000-${index.toString(16).padStart(12, "0")}`] as const
    ]
  ])("spreads users over all partitions within 15 %%: %s", (_, nameOf) => {
    const counts = spread(nameOf)
    assert.strictEqual(counts.length, 64)
    assert.isAtLeast(Math.min(...counts), even * 0.85)
    assert.isAtMost(Math.max(...counts), even * 1.15)
  })

  it("never changes: another partition would lose a user's place", () => {
    assert.deepStrictEqual(
      [keyOf("default", "1"), keyOf("default", "ada"), keyOf("acme", "ada"), keyOf("t", "ünïcødé")].map(
        MailboxKey.partitionOf
      ),
      [2, 33, 52, 59]
    )
  })

  it("keeps keys apart that read the same when glued together", () => {
    const id = fc
      .string({ minLength: 1, maxLength: 20 })
      .filter((text) => /^[^\u0000-\u001f\u007f]+$/.test(text) && text.isWellFormed())
    fc.assert(
      fc.property(id, id, id, id, (tenant, user, otherTenant, otherUser) => {
        const same = tenant === otherTenant && user === otherUser
        assert.strictEqual(
          MailboxKey.toString(keyOf(tenant, user)) === MailboxKey.toString(keyOf(otherTenant, otherUser)),
          same
        )
      })
    )
    assert.notStrictEqual(MailboxKey.toString(keyOf("ab", "c")), MailboxKey.toString(keyOf("a", "bc")))
  })
})
