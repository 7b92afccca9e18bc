/**
 * What names the call that a delivery comes from, as it goes on to providers: `X-Correlation-ID` and `traceparent`.
 */

/** Headers are ASCII; a correlation id may be anything printable. */
const asHeader = (text: string): string =>
  text.replaceAll(/[^\u0021-\u007e]/gu, (character) => encodeURIComponent(character))

export const headersOf = (
  correlationId: string | undefined,
  traceparent?: string | null
): Readonly<Record<string, string>> => ({
  ...(correlationId === undefined ? {} : { "x-correlation-id": asHeader(correlationId) }),
  ...(traceparent === undefined || traceparent === null ? {} : { traceparent })
})
