/**
 * What a socket gets of topics, beside effect/rpc's messages: the same text for every socket, so that it is encoded once.
 *
 * **Gotchas**
 *
 * A client that never calls `Watch` never gets one. A message may come before the answer to its `Watch`; it is then newer
 * than the answer's snapshot.
 */
import { Schema } from "effect"
import { Topic } from "./Topic.ts"

export const TopicMessage = Schema.TaggedStruct("Topic", { topic: Topic, data: Schema.Json })
export type TopicMessage = typeof TopicMessage.Type

/** The watcher may not watch it any more; it gets nothing more. */
export const TopicEnd = Schema.TaggedStruct("TopicEnd", { topic: Topic, reason: Schema.String })
export type TopicEnd = typeof TopicEnd.Type

export const TopicFrame = Schema.Union([TopicMessage, TopicEnd])
export type TopicFrame = typeof TopicFrame.Type

/** `data` is JSON text already. */
export const encodeMessage = (topic: string, data: string): string =>
  `{"_tag":"Topic","topic":${JSON.stringify(topic)},"data":${data}}`

export const encodeEnd = (topic: string, reason: string): string => JSON.stringify({ _tag: "TopicEnd", topic, reason })
