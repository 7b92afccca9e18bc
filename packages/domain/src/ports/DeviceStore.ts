/**
 * The devices of users, for push. Tokens are encrypted at rest by the layers that keep them.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { Device } from "../Device.ts"
import type { TenantId } from "../Identifiers.ts"
import type { MailboxKey } from "../MailboxKey.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface KnownDevice extends Device {
  /** The same for the same token, and tells nothing of it: hexadecimal. */
  readonly hash: string
}

export class DeviceStore extends Context.Service<
  DeviceStore,
  {
    /**
     * Adds a device, or moves its token to this user: a token belongs to the user who registered it last. Beyond
     * `maxDevices` the one that was registered longest ago leaves.
     */
    readonly register: (key: MailboxKey, device: Device) => Effect.Effect<void, StoreUnavailable>
    /** Answers whether the user had this token. */
    readonly unregister: (key: MailboxKey, token: string) => Effect.Effect<boolean, StoreUnavailable>
    /** The push service says that these tokens are dead: forgets them, whoever has them now; answers how many there were. */
    readonly removeDead: (tenantId: TenantId, tokens: ReadonlyArray<string>) => Effect.Effect<number, StoreUnavailable>
    /** The devices of several users, the newest first for each; a token that cannot be opened any more is left out. */
    readonly listAll: (keys: ReadonlyArray<MailboxKey>) => Effect.Effect<
      ReadonlyArray<{
        readonly key: MailboxKey
        readonly devices: ReadonlyArray<KnownDevice>
        /** The id of a key without which devices are left out here that are there when it is put back. */
        readonly missingKey: string | undefined
      }>,
      StoreUnavailable
    >
    /** Newest first. */
    readonly list: (key: MailboxKey) => Effect.Effect<ReadonlyArray<Device>, StoreUnavailable>
  }
>()("@beckon/domain/ports/DeviceStore") {}
