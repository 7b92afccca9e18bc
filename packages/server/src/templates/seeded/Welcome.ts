import type { TemplateInput, TemplateText } from "@beckon/domain/Template"
import * as Mail from "./Mail.ts"

interface Words {
  readonly language: string
  readonly title: string
  readonly message: string
  readonly begin: string
}

const textOf = ({ begin, language, message, title }: Words): TemplateText => ({
  title,
  message,
  email: {
    text: `${message}{% if link %}\n\n{{ link }}{% endif %}`,
    html: Mail.html({
      language,
      heading: title,
      paragraphs: [message, `{% if link %}<a href="{{ link }}">${begin}</a>{% endif %}`]
    })
  }
})

export const welcome: TemplateInput = {
  description: "For a new user",
  texts: {
    default: textOf({
      language: "en",
      title: "Welcome{% if app %} to {{ app }}{% endif %}, {{ name }}!",
      message: "It is good to have you here, {{ name }}.",
      begin: "Get started"
    }),
    de: textOf({
      language: "de",
      title: "Willkommen{% if app %} bei {{ app }}{% endif %}, {{ name }}!",
      message: "Schön, dass du da bist, {{ name }}.",
      begin: "Jetzt loslegen"
    }),
    pt: textOf({
      language: "pt",
      title: "Bem-vindo{% if app %} à {{ app }}{% endif %}, {{ name }}!",
      message: "É bom tê-lo connosco, {{ name }}.",
      begin: "Começar"
    }),
    "pt-BR": textOf({
      language: "pt-BR",
      title: "Boas-vindas{% if app %} ao {{ app }}{% endif %}, {{ name }}!",
      message: "Que bom ter você com a gente, {{ name }}.",
      begin: "Começar agora"
    })
  },
  variables: {
    type: "object",
    required: ["name"],
    properties: {
      name: { type: "string", minLength: 1, maxLength: 100 },
      app: { type: "string", maxLength: 100 },
      link: { type: "string", format: "uri", maxLength: 2048 }
    }
  }
}
