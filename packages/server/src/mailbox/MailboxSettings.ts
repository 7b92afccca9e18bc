/**
 * How mailboxes behave; the server's configuration gives the values.
 */
import { Context, Duration, Layer } from "effect"

export interface MailboxSettingsShape {
  /** Rows of one insert, at most. */
  readonly commitRows: number
  /** Inserts at a time: 1 where the database has one connection. */
  readonly commitConcurrency: number
  /** Commands that may wait in one mailbox before it pushes back. */
  readonly capacity: number
  /** A mailbox without sessions and work is put away after this time. */
  readonly idleAfter: Duration.Duration
  /** Mailboxes of a partition that may stay awake without sessions; of more, those that were used longest ago are put away. */
  readonly awake: number
  /** Notifications of one page of a resume. */
  readonly resumePage: number
  /** Changes of state that a resume brings, at most; beyond that it starts fresh. */
  readonly resumeChanges: number
  /** What a fresh start brings: the unread notifications of this time, at most so many (R1). */
  readonly freshWindow: Duration.Duration
  readonly freshLimit: number
  /** How long a caller waits for a partition. */
  readonly callTimeout: Duration.Duration
  /** How often acknowledgements are saved. */
  readonly acknowledgeEvery: Duration.Duration
}

export const defaults: MailboxSettingsShape = {
  commitRows: 500,
  commitConcurrency: 1,
  capacity: 4_096,
  idleAfter: Duration.minutes(1),
  awake: 256,
  resumePage: 200,
  resumeChanges: 10_000,
  freshWindow: Duration.hours(24),
  freshLimit: 50,
  callTimeout: Duration.seconds(15),
  acknowledgeEvery: Duration.seconds(1)
}

export class MailboxSettings extends Context.Service<MailboxSettings, MailboxSettingsShape>()(
  "@beckon/server/mailbox/MailboxSettings"
) {
  static readonly layer = (settings: Partial<MailboxSettingsShape> = {}): Layer.Layer<MailboxSettings> =>
    Layer.succeed(MailboxSettings, { ...defaults, ...settings })
}
