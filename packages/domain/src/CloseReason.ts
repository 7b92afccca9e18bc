/**
 * Why the server closes a socket, as WebSocket close codes.
 *
 * **Details**
 *
 * 4000–4499: come back (with your position, after a backoff). 4500–4999: do not come back by yourself, the same attempt
 * would fail again. Codes of the protocol itself (1000–1015, RFC 6455 section 7.4) mean a lost link: come back; 1008 and
 * 1009 mean that the client broke a limit. The split is that of Centrifuge's disconnect codes.
 */
export interface CloseReason {
  readonly code: number
  readonly reason: string
}

const closeReason = (code: number, reason: string): CloseReason => ({ code, reason })

export const shutdown = closeReason(4000, "server is going away")
export const slowConsumer = closeReason(4001, "too slow: the buffer limit of the connection is reached")
export const tokenExpired = closeReason(4002, "token expired")
export const mailboxMoved = closeReason(4003, "subscription interrupted")
export const pingTimeout = closeReason(4004, "no sign of life from the server")
export const tooManyMessages = closeReason(4005, "too many messages in a second")

export const badRequest = closeReason(4500, "malformed frame")
export const unauthorized = closeReason(4501, "token refused")
export const tokenRevoked = closeReason(4502, "token revoked")
export const forbidden = closeReason(4503, "not allowed")
export const tenantSuspended = closeReason(4504, "tenant suspended")
export const unsupportedProtocol = closeReason(4506, "unsupported subprotocol")

/** Whether a client that saw this close code should connect again by itself. */
export const mayReconnect = (code: number): boolean => !(code >= 4500 && code <= 4999) && code !== 1008
