/**
 * What the API document says of the parameters of paths and queries: the same name means the same everywhere.
 *
 * **Details**
 *
 * Numbers are text in a URL, and so are their schemas; the document shows the numbers that the text is of.
 */

interface ParameterText {
  readonly description: string
  /** Stands in for the schema of the text. */
  readonly schema?: { readonly type: "integer"; readonly minimum: number; readonly maximum: number }
}

const time = "ISO 8601; UTC where no zone is named."
const version = { type: "integer", minimum: 0, maximum: 2_147_483_647 } as const

const texts: Readonly<Record<string, ParameterText>> = {
  "path account": { description: "The id of the tenant's account with the sender." },
  "path code": { description: "The code: unique in its kind." },
  "path id": { description: "The id." },
  "path kind": { description: "The kind of the values." },
  "path provider": { description: "Who calls." },
  "path tenant": { description: "The id of the tenant." },
  "path topic": { description: "The name of the topic within the tenant." },
  "path userId": { description: "The id of the user." },
  "query action": { description: "Only this action: `template.put`." },
  "query actor": { description: "Only what this user or API key did." },
  "query all": { description: "`true`: also those that are not offered any more." },
  "query category": { description: "The category of the notification." },
  "query channel": { description: "Only this channel." },
  "query cursor": { description: "Where a former answer ended: its `meta.next_cursor`." },
  "query delimiter": { description: "What stands between fields; a comma when absent." },
  "query kind": { description: "Only batches of this kind." },
  "query language": { description: "A BCP 47 tag." },
  "query limit": {
    description: "How many there are on a page; 20 when absent.",
    schema: { type: "integer", minimum: 1, maximum: 100 }
  },
  "query message": { description: "What all get, where no template says it." },
  "query name": { description: "A name for people." },
  "query notification_type": { description: "What kind of thing happened." },
  "query push": { description: "When it is pushed." },
  "query role": { description: "Only users with this role." },
  "query send_at": { description: `Nothing is sent before. ${time}` },
  "query sha256": { description: "SHA-256 of the file in hexadecimal: another file is refused." },
  "query since": { description: `Only from then on. ${time}` },
  "query state": { description: "Only in this state." },
  "query status": { description: "Only with this status." },
  "query target": { description: "Only what was done to this: `template/welcome`." },
  "query template_code": { description: "The template that says what all get." },
  "query title": { description: "The title that all get, where no template says it." },
  "query type": { description: "Only notifications of this type." },
  "query unknown_columns": { description: "What a column is that nothing says; variables when absent." },
  "query until": { description: `Only before. ${time}` },
  "query user_id": { description: "Only those of this user." },
  "query version": { description: "This version, instead of the active one.", schema: version },
  "query hub.mode": { description: "Always `subscribe`." },
  "query hub.verify_token": { description: "The token that was agreed on." },
  "query hub.challenge": { description: "What is answered." },
  "header X-Twilio-Email-Event-Webhook-Signature": { description: "ECDSA over timestamp and body, in base64." },
  "header X-Twilio-Email-Event-Webhook-Timestamp": { description: "Seconds since 1970 as they were signed." },
  "header X-Twilio-Signature": { description: "HMAC-SHA1 over the public URL and the fields, in base64." },
  "header X-Hub-Signature-256": { description: "HMAC-SHA256 over the body, in hexadecimal after `sha256=`." }
}

/** Where it differs by the operation. */
const ofOperations: Readonly<Record<string, ParameterText>> = {
  "bulk.upload query priority": {
    description: "1 (can wait) to 10 (first).",
    schema: { type: "integer", minimum: 1, maximum: 10 }
  }
}

const priority: ParameterText = { description: "Only with this priority." }

export const textOf = (operationId: string, place: string, name: string): ParameterText | undefined =>
  ofOperations[`${operationId} ${place} ${name}`] ?? (name === "priority" ? priority : texts[`${place} ${name}`])
