/**
 * What notifications without a template look like, and the summary of a digest.
 */
import type { TemplateInput, TemplateText } from "@beckon/domain/Template"
import * as Mail from "./Mail.ts"

// A title may be blank; a push and a subject without words are worse than the message's beginning.
const title = '{{ title | strip | default: message | strip | default: "…" | truncate: 256 }}'

export const notification: TemplateInput = {
  description: "A notification that has no template",
  texts: {
    default: {
      title,
      message: "{{ message }}",
      email: {
        html: Mail.html({ language: "", heading: title, paragraphs: ["{{ message | newline_to_br }}"] })
      }
    }
  },
  variables: {
    type: "object",
    required: ["title", "message"],
    properties: { title: { type: "string" }, message: { type: "string" } }
  }
}

const line = "{{ item.title | truncate: 200 }}"

const digestText = (language: string, heading: string, more: string): TemplateText => {
  const rest = `{% if more > 0 %}${more}{% endif %}`
  return {
    title: heading,
    message: `{% for item in items %}${line}\n{% endfor %}${rest}`,
    email: {
      text: `{% for item in items %}- ${line}{% if item.message != "" %}: {{ item.message | truncate: 500 }}{% endif %}\n{% endfor %}${rest}`,
      html: Mail.html({
        language,
        heading,
        paragraphs: [
          `{% for item in items %}<strong>${line}</strong><br>{{ item.message | truncate: 500 }}{% unless forloop.last %}<br><br>{% endunless %}{% endfor %}`,
          rest
        ]
      })
    },
    sms: { text: `${heading}\n{% for item in items limit: 3 %}{{ item.title | truncate: 100 }}\n{% endfor %}` }
  }
}

export const digest: TemplateInput = {
  description: "The summary of several notifications",
  texts: {
    default: digestText("en", "{{ count }} new notifications", "and {{ more }} more"),
    de: digestText("de", "{{ count }} neue Benachrichtigungen", "und {{ more }} weitere"),
    pt: digestText("pt", "{{ count }} novas notificações", "e mais {{ more }}")
  },
  variables: {
    type: "object",
    required: ["count", "items"],
    properties: {
      count: { type: "integer", minimum: 1 },
      more: { type: "integer", minimum: 0, default: 0 },
      items: {
        type: "array",
        items: {
          type: "object",
          properties: { title: { type: "string" }, message: { type: "string", default: "" }, type: { type: "string" } }
        }
      }
    }
  }
}
