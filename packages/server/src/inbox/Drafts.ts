/**
 * What a request to send means: pure rules, and the draft that it becomes.
 */
import { DateTime } from "effect"
import type { NotificationRequest, Content } from "@beckon/domain/api/NotificationRequest"
import { priorityOf, urgencyOf } from "@beckon/domain/DeliveryOptions"
import type { DeliveryOptions, TemplateReference } from "@beckon/domain/DeliveryOptions"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Draft } from "@beckon/domain/Notification"
import type { Channel } from "@beckon/domain/Preferences"
import { pushDataFault } from "@beckon/domain/PushData"

/** The words of a notification in one language, and the template that they come from. */
export interface Words {
  readonly title: string
  readonly message: string
  readonly template?: TemplateReference
}

/** Names of channels that R3's callers give as `notification_type`. */
const sourceChannels: ReadonlyArray<string> = ["email", "push", "sms", "whatsapp"] satisfies ReadonlyArray<Channel>

const isSourceChannel = (type: string): type is "email" | "push" | "sms" | "whatsapp" => sourceChannels.includes(type)

const channelsOf = ({ channels, notificationType }: Content): ReadonlyArray<Channel> | undefined =>
  channels ?? (isSourceChannel(notificationType) ? [notificationType] : undefined)

const typeOf = ({ notificationType, templateCode }: Content): string =>
  isSourceChannel(notificationType) ? (templateCode ?? notificationType) : notificationType

/** How far ahead a notification may be scheduled, in days. */
const maxDaysAhead = 366

const pushFault = (content: Content): string | undefined =>
  content.data === undefined || !(content.push === "always" || channelsOf(content)?.includes("push"))
    ? undefined
    : pushDataFault({ data: JSON.stringify(content.data) })?.detail

/** What the fields of a request say against one another, with the name of the field; nothing when all is well. */
export const faultOf = (content: Content, now: DateTime.Utc): string | undefined => {
  const { message, sendAt, templateCode, title, variables } = content
  if (templateCode === undefined && title === undefined) return "title: needed where there is no template_code"
  if (templateCode === undefined && variables !== undefined) return "variables: only with template_code"
  if (templateCode !== undefined && title !== undefined) return "title: not together with template_code"
  if (templateCode !== undefined && message !== undefined) return "message: not together with template_code"
  if (sendAt !== undefined && DateTime.isGreaterThan(sendAt, DateTime.add(now, { days: maxDaysAhead }))) {
    return `send_at: at most ${maxDaysAhead} days ahead`
  }
  const fault = pushFault(content)
  return fault === undefined ? undefined : `data: ${fault}`
}

/** The sender's words about how it goes out; nothing when he said nothing. */
const optionsOf = (
  content: Content & Pick<NotificationRequest, "to">,
  words: Words,
  correlationId: string | undefined
): DeliveryOptions | undefined => {
  const channels = channelsOf(content)
  const options: DeliveryOptions = {
    ...(channels === undefined ? {} : { channels }),
    ...(content.category === undefined ? {} : { category: content.category }),
    ...(words.template === undefined ? {} : { template: words.template }),
    ...(content.pushOptions === undefined ? {} : { push: content.pushOptions }),
    ...(content.emailOptions === undefined ? {} : { email: content.emailOptions }),
    ...(content.to === undefined ? {} : { to: content.to }),
    ...(content.cancelKey === undefined ? {} : { cancelKey: content.cancelKey }),
    ...(content.whatsapp === undefined ? {} : { whatsapp: content.whatsapp }),
    ...(correlationId === undefined ? {} : { correlationId })
  }
  return Object.keys(options).length === 0 ? undefined : options
}

export interface Addressed {
  readonly tenantId: TenantId
  readonly userId: UserId
  readonly content: Content & Pick<NotificationRequest, "to">
  readonly words: Words
  readonly dedupeKey: string | undefined
  readonly correlationId: string | undefined
}

export const draftOf = ({ content, correlationId, dedupeKey, tenantId, userId, words }: Addressed): Draft => {
  const urgency = content.priority ?? urgencyOf.medium
  const options = optionsOf(content, words, correlationId)
  return {
    tenantId,
    userId,
    type: typeOf(content),
    title: words.title,
    message: words.message,
    priority: priorityOf(urgency),
    urgency,
    source: "api",
    ...(content.data === undefined ? {} : { data: content.data }),
    ...(content.push === undefined ? {} : { push: content.push }),
    ...(options === undefined ? {} : { options }),
    ...(dedupeKey === undefined ? {} : { dedupeKey })
  }
}
