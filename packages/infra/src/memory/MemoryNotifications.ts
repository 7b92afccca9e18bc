/**
 * The notifications that stores in memory share, as stores in one database share its tables.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { Context } from "effect"
import type { MemoryMailbox } from "./MemoryMailbox.ts"

export class MemoryNotifications extends Context.Service<
  MemoryNotifications,
  {
    /** Of one tenant, or of all. */
    readonly mailboxes: (tenantId?: TenantId) => ReadonlyArray<MemoryMailbox>
    readonly at: (key: MailboxKey) => MemoryMailbox
  }
>()("@beckon/infra/memory/MemoryNotifications") {}
