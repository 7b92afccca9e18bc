import type { TemplateInput, TemplateText } from "@beckon/domain/Template"
import * as Mail from "./Mail.ts"

interface Words {
  readonly language: string
  readonly title: string
  readonly valid: string
  readonly note: string
}

const textOf = ({ language, note, title, valid }: Words): TemplateText => ({
  title,
  message: `${title}. ${valid}`,
  email: {
    text: `${title}\n\n${valid}\n\n${note}`,
    html: Mail.html({
      language,
      heading: title,
      paragraphs: [`<strong style="font-size:28px;letter-spacing:4px">{{ code }}</strong>`, valid],
      note
    })
  },
  sms: { text: `${title}. ${valid}` }
})

export const verificationCode: TemplateInput = {
  description: "A code that proves an address or a sign-in",
  texts: {
    default: textOf({
      language: "en",
      title: "{{ code }} is your code",
      valid: "It is valid for {{ minutes }} minutes.",
      note: "Tell it to nobody. We never ask for it."
    }),
    de: textOf({
      language: "de",
      title: "{{ code }} ist dein Code",
      valid: "Er gilt {{ minutes }} Minuten.",
      note: "Gib ihn nicht weiter. Wir fragen nie danach."
    }),
    pt: textOf({
      language: "pt",
      title: "{{ code }} é o seu código",
      valid: "É válido durante {{ minutes }} minutos.",
      note: "Não o diga a ninguém. Nunca lho pedimos."
    })
  },
  variables: {
    type: "object",
    required: ["code"],
    properties: {
      code: { type: "string", minLength: 4, maxLength: 12 },
      minutes: { type: "integer", minimum: 1, maximum: 1440, default: 10 }
    }
  }
}
