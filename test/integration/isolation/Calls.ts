/**
 * Every operation of the API as its document lists it, and the way to try one.
 */
import { Data, Effect } from "effect"
import { OpenApi } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { call } from "../road/Road.ts"
import type { Answered } from "../road/Road.ts"
import type { Attempt, Least } from "./Attempts.ts"
import type { Furnished } from "./Furnished.ts"

export interface Listed {
  /** `group.operation` */
  readonly id: string
  readonly method: string
  readonly path: string
  readonly pages: boolean
}

const methods = ["get", "post", "put", "patch", "delete"] as const

/** All that there are. */
export const listed: ReadonlyArray<Listed> = Object.entries(OpenApi.fromApi(BeckonApi).paths).flatMap(([path, item]) =>
  methods.flatMap((method) => {
    const operation = item[method]
    const pages = operation?.parameters?.some(({ name }) => name === "cursor") ?? false
    return operation === undefined ? [] : [{ id: operation.operationId, method: method.toUpperCase(), path, pages }]
  })
)

export type Role = "ada" | "bob" | "service" | "admin" | "platform"

const rank: Readonly<Record<Role, ReadonlyArray<Least>>> = {
  bob: ["nobody", "user"],
  ada: ["nobody", "user", "driver"],
  service: ["nobody", "user", "service"],
  admin: ["nobody", "user", "service", "admin"],
  platform: ["nobody", "user", "service", "admin", "platform"]
}

/** Whether it is his to call. */
export const may = (role: Role, least: Least): boolean => rank[role].includes(least)

/** What he may get. */
export const answersFor = (role: Role, least: Least, { answers, users = answers }: Attempt): ReadonlyArray<number> => {
  if (!may(role, least)) return [403]
  if (role === "platform") return [...answers, ...users]
  return role === "ada" || role === "bob" ? users : answers
}

export const attempt = (
  url: string,
  { method, path }: Listed,
  { body, contentType, headers, params = {}, query = {} }: Omit<Attempt, "answers">,
  token: string | undefined
): Effect.Effect<Answered, unknown> => {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? "missing"))
  const search = new URLSearchParams(query).toString()
  return call(url, search === "" ? filled : `${filled}?${search}`, {
    method,
    ...(token === undefined ? {} : { token }),
    ...(body === undefined ? {} : { body }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(headers === undefined ? {} : { headers })
  })
}

export const textOf = ({ body, headers }: Answered): string =>
  [typeof body === "string" ? body : JSON.stringify(body), ...headers.values()].join("\n")

/** What went wrong, in a line each: all of it is told at the end, and not only the first. */
export class Faults extends Data.TaggedError("Faults")<{ readonly faults: ReadonlyArray<string> }> {
  override get message() {
    return `${this.faults.length} faults:\n${this.faults.join("\n")}`
  }
}

export const none = (faults: ReadonlyArray<string>) =>
  faults.length === 0 ? Effect.void : Effect.fail(new Faults({ faults }))

export const tokenOf = ({ tokens }: Furnished, role: Role): string => tokens[role]
