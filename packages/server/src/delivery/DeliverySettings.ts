/**
 * How deliveries are planned and sent; the server's configuration gives the values.
 */
import { Context, Duration, Layer } from "effect"
import type { DeliveryChannel } from "@beckon/domain/Delivery"

export interface DeliverySettingsShape {
  /** How long a listening user's device has to acknowledge, before other channels are used. */
  readonly ackTimeout: Duration.Duration
  /** Acknowledgements are saved at intervals: so much later they are all in the store. */
  readonly ackSlack: Duration.Duration
  /** How often the store is asked for what is due, when nobody says that something is. */
  readonly poll: Duration.Duration
  /** Notifications of one plan, deliveries of one claim. */
  readonly planBatch: number
  readonly claimBatch: number
  /** How long a worker keeps what it claimed, unless it prolongs it. */
  readonly lease: Duration.Duration
  /** A delivery that was claimed so often in a row without a report kills its workers: it is dead. */
  readonly maxClaims: number
  /** Circuit breakers: failures in a row that open one, and for how long. */
  readonly breakerFailures: number
  readonly breakerOpen: Duration.Duration
  /** Successes in a row that close it again. */
  readonly breakerSuccesses: number
  /** How long a provider is left alone that refused our credentials. */
  readonly credentialsHold: Duration.Duration
  /** Tries of one delivery, by channel; 5 where absent. */
  readonly tries: Partial<Record<DeliveryChannel, number>>
  /** The wait before the second try is up to twice this, then up to four times, … */
  readonly retryBase: Duration.Duration
  /** An endpoint that has failed for so long is switched off. */
  readonly disableEndpointAfter: Duration.Duration
  /** How often the store is looked through for what nobody would find, and how late is too late. */
  readonly reconcileEvery: Duration.Duration
  readonly patience: Duration.Duration
}

export const defaults: DeliverySettingsShape = {
  ackTimeout: Duration.seconds(5),
  ackSlack: Duration.millis(1_500),
  poll: Duration.seconds(1),
  planBatch: 500,
  claimBatch: 500,
  lease: Duration.seconds(60),
  maxClaims: 10,
  breakerFailures: 5,
  breakerOpen: Duration.seconds(60),
  breakerSuccesses: 2,
  credentialsHold: Duration.seconds(60),
  tries: {},
  retryBase: Duration.seconds(1),
  disableEndpointAfter: Duration.days(5),
  reconcileEvery: Duration.minutes(15),
  patience: Duration.minutes(2)
}

export class DeliverySettings extends Context.Service<DeliverySettings, DeliverySettingsShape>()(
  "@beckon/server/delivery/DeliverySettings"
) {
  static readonly layer = (settings: Partial<DeliverySettingsShape> = {}): Layer.Layer<DeliverySettings> =>
    Layer.succeed(DeliverySettings, { ...defaults, ...settings })
}
