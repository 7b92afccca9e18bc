/**
 * How to reach Kafka, and how much to take from it at a time.
 */
import type { Redacted } from "effect"

export interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512"
  readonly username: string
  readonly password: Redacted.Redacted
}

/** `true` trusts the system's authorities; certificates and the key are PEM text. */
export type KafkaTls =
  | boolean
  | {
      readonly ca?: string
      readonly cert?: string
      readonly key?: Redacted.Redacted
      readonly rejectUnauthorized?: boolean
    }

export interface KafkaSettings {
  /** `host:port` of some brokers; the rest is asked of them. */
  readonly brokers: ReadonlyArray<string>
  /** How the brokers' logs and quotas name this program. */
  readonly clientId: string
  readonly tls?: KafkaTls
  readonly sasl?: KafkaSasl
  /** Stands before every topic and group: several deployments, or tests, on one cluster. */
  readonly topicPrefix?: string
  /** Topics that must exist before the layer is built, with their dead letters; those that are missing are created. */
  readonly topics?: ReadonlyArray<string>
  /** Of topics that are created; 12 by default. */
  readonly partitions?: number
  /** Of topics that are created; the cluster's default by default. */
  readonly replicationFactor?: number
  /** A handler gets at most so many records; 500 by default. */
  readonly batchSize?: number
  /** A partition with so many records waiting in this process is not fetched from; 2,000 by default. */
  readonly bufferedRecords?: number
  /** The group gives a member's partitions to others after so many ms without a heartbeat; 10,000 by default. */
  readonly sessionTimeout?: number
  /** A member that stops lets its handlers work on for at most so many ms; 10,000 by default. */
  readonly drainTimeout?: number
  /** A publish fails after so many ms; 15,000 by default. */
  readonly publishTimeout?: number
  /** The layer fails when the brokers cannot be reached for so many ms at its start; 30,000 by default. */
  readonly connectTimeout?: number
}

export const defaults = {
  topicPrefix: "",
  partitions: 12,
  batchSize: 500,
  bufferedRecords: 2_000,
  sessionTimeout: 10_000,
  drainTimeout: 10_000,
  publishTimeout: 15_000,
  connectTimeout: 30_000
} satisfies Partial<KafkaSettings>

export type CompleteKafkaSettings = KafkaSettings & typeof defaults

/** Where the records go that could not be understood. */
export const deadLettersOf = (topic: string): string => `${topic}.dead-letters`
