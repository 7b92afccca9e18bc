/**
 * Text of strangers as the database takes it: PostgreSQL refuses NUL, and lone surrogates do not survive UTF-8.
 */
export const storable = (text: string, maxLength: number): string =>
  // Cut first: the cut may go through a pair.
  text.slice(0, maxLength).replaceAll("\u0000", "\ufffd").toWellFormed()
