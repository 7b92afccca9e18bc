/**
 * The HTML of Beckon's own mails: one column, styles in place, nothing loaded from elsewhere, readable in the dark.
 */

/** Liquid sources; `link` is the address behind the button. */
export interface MailSource {
  readonly language: string
  readonly heading: string
  readonly paragraphs: ReadonlyArray<string>
  readonly button?: { readonly text: string; readonly link: string }
  /** What stands below in small print. */
  readonly note?: string
}

const font = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"

const button = ({ link, text }: { readonly text: string; readonly link: string }): string =>
  `<p style="margin:24px 0"><a href="${link}" style="display:inline-block;padding:12px 20px;border-radius:8px;background:#1d4ed8;color:#ffffff;text-decoration:none;font-weight:600">${text}</a></p>`

export const html = ({ button: action, heading, language, note, paragraphs }: MailSource): string =>
  [
    `<!doctype html>`,
    `<html lang="${language}">`,
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>${heading}</title></head>`,
    `<body style="margin:0;padding:24px;${font};line-height:1.5">`,
    `<div role="article" style="max-width:560px;margin:0 auto">`,
    `<h1 style="font-size:22px;line-height:1.3;margin:0 0 16px">${heading}</h1>`,
    ...paragraphs.map((paragraph) => `<p style="margin:0 0 16px">${paragraph}</p>`),
    ...(action === undefined ? [] : [button(action)]),
    ...(note === undefined ? [] : [`<p style="margin:24px 0 0;font-size:13px;opacity:.75">${note}</p>`]),
    `</div>`,
    `</body>`,
    `</html>`
  ].join("\n")
