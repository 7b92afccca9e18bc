/**
 * The order that PostgreSQL's `collate "C"` gives: by the bytes of UTF-8, not by UTF-16 code units as JavaScript compares.
 */
export const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right))
