import type { TemplateInput, TemplateText } from "@beckon/domain/Template"

const textOf = (requested: readonly [string, string], accepted: readonly [string, string]): TemplateText => ({
  title: `{% if accepted %}${accepted[0]}{% else %}${requested[0]}{% endif %}`,
  message: `{% if accepted %}${accepted[1]}{% else %}${requested[1]}{% endif %}`
})

export const friendRequest: TemplateInput = {
  description: "A friend request, or that it was accepted",
  texts: {
    default: textOf(
      ["New friend request", "{{ name }} sent you a friend request"],
      ["Friend request accepted", "{{ name }} accepted your friend request!"]
    ),
    de: textOf(
      ["Neue Freundschaftsanfrage", "{{ name }} hat dir eine Freundschaftsanfrage geschickt"],
      ["Freundschaftsanfrage angenommen", "{{ name }} hat deine Freundschaftsanfrage angenommen!"]
    ),
    pt: textOf(
      ["Novo pedido de amizade", "{{ name }} enviou-lhe um pedido de amizade"],
      ["Pedido de amizade aceite", "{{ name }} aceitou o seu pedido de amizade!"]
    )
  },
  variables: {
    type: "object",
    required: ["name"],
    properties: {
      name: { type: "string", minLength: 1, maxLength: 100 },
      accepted: { type: "boolean", default: false }
    }
  }
}
