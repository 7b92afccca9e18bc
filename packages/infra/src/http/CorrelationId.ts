/**
 * The sender's correlation id, as it goes on to providers: `X-Correlation-ID`.
 */

/** Headers are ASCII; a correlation id may be anything printable. */
const asHeader = (text: string): string =>
  text.replaceAll(/[^\u0021-\u007e]/gu, (character) => encodeURIComponent(character))

export const headersOf = (correlationId: string | undefined): Readonly<Record<string, string>> =>
  correlationId === undefined ? {} : { "x-correlation-id": asHeader(correlationId) }
