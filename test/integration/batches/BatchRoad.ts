/**
 * Batches over HTTP, and what became of them in the mailboxes.
 */
import { Data, Effect, Schedule } from "effect"
import { call, jwtSecret, service, token } from "../road/Road.ts"
import type { Answer } from "../road/Road.ts"

export const env = { BECKON_JWT_SECRET: jwtSecret }

export const sendBatch = "/api/v1/services/notifications/send-batch"
export const sendChunk = "/api/v1/services/notifications/send-chunk"
export const pathOf = (id: string): string => `/api/v1/services/batches/${id}`

export class NotYet extends Data.TaggedError("NotYet")<{ readonly status: unknown }> {}

export const recipientsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({
    user_id: `user-${first + index}`,
    variables: { name: `Zoë ${first + index}` }
  }))

/** The state of a batch, when `isEnough` says so; fails after five minutes. */
export const statusWhen = (
  url: string,
  id: string,
  isEnough: (data: Answer["body"]) => boolean,
  as: string = service
) =>
  call(url, pathOf(id), { token: as }).pipe(
    Effect.flatMap(({ body }) =>
      body.data !== undefined && isEnough(body.data)
        ? Effect.succeed(body.data)
        : Effect.fail(new NotYet({ status: body }))
    ),
    Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 1_500 })
  )

export const inboxOf = (url: string, user: string, tenant?: string) =>
  Effect.map(
    call(url, "/api/v1/users/me/notifications?limit=100", {
      token: token({ sub: user, ...(tenant === undefined ? {} : { tenant }) })
    }),
    ({ body }): ReadonlyArray<{ readonly id: string; readonly title: string; readonly message: string }> => body.data
  )
