/**
 * A user's devices for people and programs: never with their tokens.
 */
import { Effect } from "effect"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { storeToProblem } from "../inbox/Inbox.ts"

/** The newest first. */
export const viewsOf = (store: DeviceStore["Service"], key: MailboxKey) =>
  store.listAll([key]).pipe(
    Effect.map((listed) => listed.flatMap(({ devices }) => devices.map(({ hash, platform }) => ({ platform, hash })))),
    Effect.catch(storeToProblem)
  )
