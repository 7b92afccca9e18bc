/**
 * The names that push topics of tenants have at the push service, where all tenants share one space.
 *
 * **Details**
 *
 * `<tenant>~<topic>`, the tenant percent-encoded, so that it has neither `~` nor anything that FCM refuses in a topic
 * (`[a-zA-Z0-9-_.~%]+`). Two tenants never share a name.
 */
import type { TenantId } from "@beckon/domain/Identifiers"

const escape = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`

export const topicNameOf = (tenantId: TenantId, topic: string): string =>
  `${encodeURIComponent(tenantId).replace(/[!'()*~]/g, escape)}~${topic}`

/** The topic as its tenant calls it. */
export const topicOf = (name: string): string => name.slice(name.indexOf("~") + 1)
