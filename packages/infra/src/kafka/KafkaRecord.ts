/**
 * Records of the bus as messages of kafkajs, and back.
 */
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import type { IHeaders, KafkaMessage, Message } from "kafkajs"

const headersOf = (headers: IHeaders | undefined): Record<string, string> => {
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers ?? {})) {
    // A header may come several times; the last one stands, as with Kafka's own `lastHeader`.
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined) texts[name] = last.toString()
  }
  return texts
}

/** A message without a key has the empty key, one without a value the empty text, which decodes as nothing. */
export const toRecord = (topic: string, partition: number, message: KafkaMessage): EventRecord => ({
  topic,
  key: message.key?.toString() ?? "",
  headers: headersOf(message.headers),
  value: message.value?.toString() ?? "",
  position: { topic, partition, offset: message.offset, timestamp: message.timestamp }
})

/** The empty key is no key: such records have no order to keep and spread over the partitions. */
export const toMessage = ({ headers, key, value }: EventRecord): Message => ({
  key: key === "" ? null : key,
  value,
  headers: { ...headers }
})
