import type { TemplateInput, TemplateText } from "@beckon/domain/Template"
import * as Mail from "./Mail.ts"

interface Words {
  readonly language: string
  readonly title: string
  readonly message: string
  readonly button: string
  readonly note: string
}

const textOf = ({ button, language, message, note, title }: Words): TemplateText => ({
  title,
  message,
  // The link lets in whoever has it: it goes by mail only.
  email: {
    text: `${message}\n\n{{ link }}\n\n${note}`,
    html: Mail.html({
      language,
      heading: title,
      paragraphs: [message],
      button: { text: button, link: "{{ link }}" },
      note
    })
  }
})

export const passwordReset: TemplateInput = {
  description: "With the link under which a new password is chosen",
  texts: {
    default: textOf({
      language: "en",
      title: "Reset your password",
      message: "You asked for a new password. The link in our mail is valid for {{ minutes }} minutes.",
      button: "Choose a new password",
      note: "If it was not you, there is nothing that you have to do."
    }),
    de: textOf({
      language: "de",
      title: "Passwort zurücksetzen",
      message: "Du hast ein neues Passwort angefordert. Der Link in unserer E-Mail gilt {{ minutes }} Minuten.",
      button: "Neues Passwort wählen",
      note: "Wenn du das nicht warst, musst du nichts tun."
    }),
    pt: textOf({
      language: "pt",
      title: "Repor a palavra-passe",
      message: "Pediu uma nova palavra-passe. A ligação no nosso e-mail é válida durante {{ minutes }} minutos.",
      button: "Escolher uma nova palavra-passe",
      note: "Se não foi você, não precisa de fazer nada."
    })
  },
  variables: {
    type: "object",
    required: ["link"],
    properties: {
      link: { type: "string", format: "uri", maxLength: 2048 },
      minutes: { type: "integer", minimum: 1, maximum: 1440, default: 30 }
    }
  }
}
