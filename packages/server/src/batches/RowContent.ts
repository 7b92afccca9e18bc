/**
 * What one recipient of a batch gets: the content of the batch with what the recipient has of his own.
 *
 * **Details**
 *
 * A recipient's words take the place of the batch's template, and his template that of the batch's words. Words may have
 * variables as templates do (`Hello {{ name }}`): they are filled for each recipient.
 */
import type { BatchContent, Recipient } from "@beckon/domain/Batch"
import type { Content, NotificationRequest } from "@beckon/domain/api/NotificationRequest"
import type { DateTime } from "effect"
import * as Drafts from "../inbox/Drafts.ts"

export type RowContent = Content & Pick<NotificationRequest, "to">

const withoutWords = ({ message: _message, title: _title, ...content }: BatchContent): BatchContent => content
const withoutTemplate = ({ templateCode: _code, ...content }: BatchContent): BatchContent => content

const baseFor = (content: BatchContent, { templateCode, title }: Recipient): BatchContent => {
  if (templateCode !== undefined) return withoutWords(content)
  return title === undefined ? content : withoutTemplate(content)
}

export const contentOf = (content: BatchContent, recipient: Recipient): RowContent => {
  const { requestId: _requestId, userId: _userId, variables, ...own } = recipient
  const base = baseFor(content, recipient)
  const all = { ...base.variables, ...variables }
  return { ...base, ...own, ...(Object.keys(all).length === 0 ? {} : { variables: all }) }
}

const hasTag = (text: string | undefined): boolean => text !== undefined && /\{\{|\{%/.test(text)

/** Words that are to be filled, and with what; nothing for a template and for plain words. */
export const wordsToFill = ({ message, templateCode, title, variables }: RowContent) =>
  templateCode !== undefined || title === undefined || variables === undefined || !(hasTag(title) || hasTag(message))
    ? undefined
    : { text: { title, message: message ?? "" }, variables }

/** Variables that no template takes fill words, or are for nothing. */
const filled = (content: RowContent): RowContent => {
  if (content.templateCode !== undefined) return content
  const { variables: _variables, ...plain } = content
  return plain
}

/** What is wrong with the row, with the name of the field; nothing when all is well. */
export const faultOf = (content: RowContent, now: DateTime.Utc): string | undefined =>
  Drafts.faultOf(filled(content), now)
