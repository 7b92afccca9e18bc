/**
 * The HTTP calls of the page, as one person or as a service.
 */

/** What the server said against a call: the `detail` of its problem document (RFC 9457). */
export class Refused extends Error {
  readonly status: number
  constructor(status: number, detail: string) {
    super(detail)
    this.name = "Refused"
    this.status = status
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** A JSON object's fields, or none. */
const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {}

const call = async (
  path: string,
  token: string | undefined,
  body?: unknown
): Promise<Readonly<Record<string, unknown>>> => {
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      accept: "application/json, application/problem+json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const answer = fieldsOf(await response.json().catch(() => undefined))
  if (response.ok) return answer
  const detail = textOf(answer["detail"]) ?? textOf(answer["title"]) ?? `the server answered ${response.status}`
  throw new Refused(response.status, detail)
}

export interface Claims {
  readonly sub: string
  readonly name?: string
  readonly roles?: ReadonlyArray<string>
}

/** A token of the development route; `Refused` with 404 where the server has none. */
export const issueToken = async (claims: Claims): Promise<string> => {
  const { token } = await call("/dev/token", undefined, claims)
  if (typeof token !== "string") throw new Refused(502, "/dev/token answered without a token")
  return token
}

export const sendFriendRequest = (token: string, requesterId: string, recipientId: string) =>
  call("/api/friendships/send-request", token, { requesterId, recipientId })

export const respondToRequest = (token: string, friendshipId: string, responderId: string, accept: boolean) =>
  call("/api/friendships/respond", token, { friendshipId, responderId, accept })

/** The status of one's newest 100 friendships by id. */
export const listFriendships = async (token: string): Promise<ReadonlyMap<string, string>> => {
  const { data } = await call("/api/friendships?limit=100", token)
  const statuses = new Map<string, string>()
  for (const row of Array.isArray(data) ? data.map(fieldsOf) : []) {
    const id = textOf(row["friendshipId"])
    const status = textOf(row["status"])
    if (id !== undefined && status !== undefined) statuses.set(id, status)
  }
  return statuses
}

export const sendAsService = (token: string, userId: string, message: string) =>
  call("/api/v1/services/notifications/send", token, {
    user_id: userId,
    type: "demo_message",
    title: "From your backend",
    message
  })
