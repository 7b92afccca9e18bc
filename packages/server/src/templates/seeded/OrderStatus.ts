import type { TemplateInput, TemplateText } from "@beckon/domain/Template"
import * as Mail from "./Mail.ts"

const statuses = ["accepted", "assigned", "picked_up", "nearby", "delivered", "cancelled", "paid"] as const

interface Words {
  readonly language: string
  readonly title: string
  readonly of: Readonly<Record<(typeof statuses)[number], string>>
  readonly see: string
}

const textOf = ({ language, of, see, title }: Words): TemplateText => {
  const message = `{% case status %}${statuses.map((status) => `{% when "${status}" %}${of[status]}`).join("")}{% endcase %}`
  return {
    title,
    message,
    email: {
      text: `${message}{% if link %}\n\n{{ link }}{% endif %}`,
      html: Mail.html({
        language,
        heading: title,
        paragraphs: [message, `{% if link %}<a href="{{ link }}">${see}</a>{% endif %}`]
      })
    }
  }
}

export const orderStatus: TemplateInput = {
  description: "What has become of an order",
  texts: {
    default: textOf({
      language: "en",
      title: "Order {{ order_id }}",
      of: {
        accepted: "Your order was accepted.",
        assigned: '{{ driver | default: "Your driver" }} takes care of your order.',
        picked_up: "Your order is on its way.",
        nearby: '{{ driver | default: "Your driver" }} is about to arrive with your order.',
        delivered: "Your order was delivered.",
        cancelled: "Your order was cancelled.",
        paid: "We received the payment for your order."
      },
      see: "See the order"
    }),
    de: textOf({
      language: "de",
      title: "Bestellung {{ order_id }}",
      of: {
        accepted: "Deine Bestellung wurde angenommen.",
        assigned: '{{ driver | default: "Dein Fahrer" }} kümmert sich um deine Bestellung.',
        picked_up: "Deine Bestellung ist unterwegs.",
        nearby: '{{ driver | default: "Dein Fahrer" }} ist gleich mit deiner Bestellung da.',
        delivered: "Deine Bestellung wurde geliefert.",
        cancelled: "Deine Bestellung wurde storniert.",
        paid: "Wir haben die Zahlung für deine Bestellung erhalten."
      },
      see: "Bestellung ansehen"
    }),
    pt: textOf({
      language: "pt",
      title: "Encomenda {{ order_id }}",
      of: {
        accepted: "A sua encomenda foi aceite.",
        assigned: '{{ driver | default: "O estafeta" }} trata da sua encomenda.',
        picked_up: "A sua encomenda está a caminho.",
        nearby: '{{ driver | default: "O estafeta" }} está quase a chegar com a sua encomenda.',
        delivered: "A sua encomenda foi entregue.",
        cancelled: "A sua encomenda foi cancelada.",
        paid: "Recebemos o pagamento da sua encomenda."
      },
      see: "Ver a encomenda"
    })
  },
  variables: {
    type: "object",
    required: ["order_id", "status"],
    properties: {
      order_id: { anyOf: [{ type: "string", minLength: 1, maxLength: 100 }, { type: "integer" }] },
      status: { enum: statuses },
      driver: { type: "string", maxLength: 100 },
      link: { type: "string", format: "uri", maxLength: 2048 }
    }
  }
}
