/**
 * How the router reads paths.
 */

/**
 * An id of a user has up to 128 UTF-16 code units, each up to nine characters of a path (three bytes, percent-encoded). The
 * router's own limit is 100, and what is longer would be 404.
 */
export const routerConfig = { maxParamLength: 1_152 }
