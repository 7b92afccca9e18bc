/**
 * What the OpenAPI document says beyond the definition of the API: who may call what, how to get a token, which operations
 * belong together, and an example of each.
 *
 * **Details**
 *
 * `x-required-scope` and `x-roles` of an operation are what `Authorization` checks (`Policy`). `x-tagGroups` is what Scalar and Redoc
 * show as chapters: User, Service, Admin, System.
 */
import { Context, Option } from "effect"
import { HttpApi, OpenApi } from "effect/http-api"
import type { HttpApiGroup } from "effect/http-api"
import * as Policy from "../Policy.ts"
import { fillAll, samples } from "./Example.ts"
import type { Example } from "./Example.ts"
import { examples } from "./Examples.ts"
import { textOf } from "./ParameterTexts.ts"
import { rawCalls } from "./RawCalls.ts"

/** Where people and services get tokens of the deployment's issuer (OpenID Connect Discovery 1.0 section 3). */
export interface Issuer {
  readonly url: string
  /** Absent while the issuer has not told them: then the document names only where it tells them. */
  readonly endpoints?: { readonly authorizationUrl: string; readonly tokenUrl: string }
}

type Spec = OpenApi.OpenAPISpec
type Operation = OpenApi.OpenAPISpecOperation

const methods = ["get", "put", "post", "delete", "patch", "head", "options", "trace"] as const

const chapterOf = (path: string): string => {
  if (path.startsWith("/api/v1/users/me") || path.startsWith("/api/friendships")) return "User"
  if (path.startsWith("/api/v1/admin")) return "Admin"
  return /^\/(?:health|metrics|dev|api\/v1\/callbacks)/.test(path) ? "System" : "Service"
}

const chapters = ["User", "Service", "Admin", "System"]

const chapterTexts: Readonly<Record<string, string>> = {
  "My inbox": "A user's own notifications, wishes and devices.",
  "My location": "Where a driver is, for those who follow him.",
  Presence: "Who is online.",
  Users: "The users of the tenant, as its services keep them.",
  Services: "The short way to send to one user.",
  Notifications: "Sends to one or to many, and tells what became of it.",
  Batches: "One message to many, in the background.",
  Bulk: "One message to the users of a file.",
  Deliveries: "What goes out beyond the socket.",
  "Dead letters": "What nobody tries any more.",
  Routing: "Which notification goes out over which channel, and when.",
  Templates: "What notifications say, by channel and language.",
  Webhooks: "Where the tenant wants to be called.",
  Providers: "Accounts with senders that the tenant brings along.",
  "Push topics": "One push for all devices that subscribed to a name.",
  "Notifications of the tenant": "What all users of the tenant got.",
  "Personal data": "All that is kept of one user.",
  "API keys": "Credentials of the tenant's services.",
  Revocations: "Tokens that are refused before they expire.",
  Tenants: "For those who run the deployment.",
  "Own tenant": "What a tenant sets for itself.",
  "Audit log": "Who did what.",
  Lookups: "Small tables of values that programs show and check by.",
  "Lookups of a tenant": "The tenant's own values.",
  Callbacks: "What providers and devices tell afterwards; each is signed.",
  Events: "Events of other systems, which become notifications.",
  Friendships: "Friend requests, and what became of them.",
  Health: "Whether the process lives and can do its work.",
  Metrics: "What this node counts.",
  Development: "For trying things out on one machine."
}

/** The scope that each operation needs, by `operationId`. */
const scopesOf = <Id extends string, Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<Id, Groups>
): ReadonlyMap<string, Policy.Scope> => {
  const scopes = new Map<string, Policy.Scope>()
  HttpApi.reflect(api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint, group }) => {
      const required = Option.orElse(Context.getOption(endpoint.annotations, Policy.RequiredScope), () =>
        Context.getOption(group.annotations, Policy.RequiredScope)
      )
      if (Option.isNone(required)) return
      scopes.set(`${group.identifier}.${endpoint.identifier}`, Policy.scopeFor(required.value, endpoint.method))
    }
  })
  return scopes
}

/** What `Authorization` checks; it is of nobody's else. */
const withPolicy = (operation: Operation, scope: Policy.Scope | undefined, issuer: Issuer | undefined) => {
  const description = operation.description ?? `${operation.summary}.`
  if (scope === undefined) return { ...operation, description }
  return {
    ...operation,
    description: `${description}\n\nNeeds the scope \`${scope}\`: ${Policy.scopes[scope]}`,
    "x-required-scope": scope,
    "x-roles": Policy.rolesWith(scope),
    security: issuer === undefined ? operation.security : [...operation.security, { oidc: [scope] }]
  }
}

/** What is read raw, as if it were defined. */
const withRawCall = (operation: Operation): Operation => {
  const raw = rawCalls[operation.operationId]
  if (raw === undefined) return operation
  const { body, headers = [], isOpen = false, query = [] } = raw
  const parameter = (place: "header" | "query") => (name: string) => ({
    name,
    in: place,
    required: !isOpen,
    schema: { type: "string" as const }
  })
  return {
    ...operation,
    parameters: [...operation.parameters, ...headers.map(parameter("header")), ...query.map(parameter("query"))],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { [body.contentType]: { schema: { ...body.schema } } } } })
  }
}

const placesOf = ({ headers, path, query }: Example): Readonly<Record<string, Readonly<Record<string, string>>>> => ({
  header: headers ?? {},
  path: path ?? {},
  query: query ?? {}
})

const numeric = (schema: object | undefined, text: string): string | number =>
  schema === undefined ? text : Number(text)

/** Parameters with words, and with what the example of the operation gives them. */
const withParameters = (operation: Operation, example: Example): Operation => ({
  ...operation,
  parameters: operation.parameters.map((parameter) => {
    const words = textOf(operation.operationId, parameter.in, parameter.name)
    const given = placesOf(example)[parameter.in]?.[parameter.name]
    const shown = given === undefined ? undefined : fillAll(given, samples)
    return {
      ...parameter,
      ...words,
      ...(typeof shown === "string" ? { example: numeric(words?.schema, shown) } : {})
    }
  })
})

const withBody = (operation: Operation, { body, text }: Example): Operation => {
  const content = operation.requestBody?.content
  if (content === undefined || (body === undefined && text === undefined)) return operation
  const type = text?.contentType ?? "application/json"
  const form = text?.contentType === "application/x-www-form-urlencoded" ? formOf(text.body) : text?.body
  const shown = fillAll(body ?? form ?? "", samples)
  return {
    ...operation,
    requestBody: { required: true, content: { ...content, [type]: { ...content[type], example: shown } } }
  } as Operation
}

/** A form is shown as what its text stands for. */
const formOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split("&").map((pair) => {
      const [name = "", value = ""] = pair.split("=")
      return [name, decodeURIComponent(value)]
    })
  )

/** Checks a credential by itself, without `Authorization`. */
const alsoGuarded: ReadonlyMap<string, Policy.Scope> = new Map([["metrics.metrics", "tenants:read"]])

const securityOf = ({ endpoints, url }: Issuer) => {
  const description = "People and services of the deployment's identity provider; its access tokens are bearer tokens."
  if (endpoints === undefined) {
    const openIdConnectUrl = `${url.replace(/\/$/, "")}/.well-known/openid-configuration`
    return { type: "openIdConnect", description, openIdConnectUrl }
  }
  const { authorizationUrl, tokenUrl } = endpoints
  return {
    type: "oauth2",
    description,
    flows: {
      authorizationCode: { authorizationUrl, tokenUrl, scopes: Policy.scopes },
      clientCredentials: { tokenUrl, scopes: Policy.scopes }
    }
  }
}

/** The whole document. With `issuer` it also says how to get a token there. */
export const make = <Id extends string, Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<Id, Groups>,
  issuer?: Issuer
): Spec => {
  const spec = OpenApi.fromApi(api)
  const scopes = scopesOf(api)
  const chapterOfTag = new Map<string, string>()
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of methods) {
      const operation = item[method]
      if (operation === undefined) continue
      const id = operation.operationId
      const example = examples[id] ?? {}
      for (const tag of operation.tags) chapterOfTag.set(tag, chapterOf(path))
      const guarded = alsoGuarded.has(id) ? { ...operation, security: [{ bearer: [] }] } : operation
      const called = withBody(withParameters(withRawCall(guarded), example), example)
      item[method] = withPolicy(called, scopes.get(id) ?? alsoGuarded.get(id), issuer)
    }
  }
  return Object.assign(spec, {
    info: {
      ...spec.info,
      license: { name: "MIT", identifier: "MIT" },
      contact: { name: "Those who run this deployment" }
    },
    servers: [{ url: "/", description: "This deployment." }],
    tags: spec.tags.map((tag) => ({ ...tag, description: tag.description ?? chapterTexts[tag.name] ?? tag.name })),
    "x-tagGroups": chapters.map((name) => ({
      name,
      tags: spec.tags.flatMap((tag) => (chapterOfTag.get(tag.name) === name ? [tag.name] : []))
    })),
    components: {
      ...spec.components,
      securitySchemes: {
        ...spec.components.securitySchemes,
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An access token (JWT) of a trusted issuer, or an API key (`bk_…`)."
        },
        ...(issuer === undefined ? {} : { oidc: securityOf(issuer) })
      }
    }
  })
}

/**
 * The same for the interactive page. It is told that people log in with PKCE (RFC 7636) by a word of its own, which no
 * other program knows.
 */
export const annotate = <Id extends string, Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<Id, Groups>,
  issuer?: Issuer
): HttpApi.HttpApi<Id, Groups> =>
  api.annotate(OpenApi.Transform, () => {
    const spec = make(api, issuer)
    const { securitySchemes } = spec.components
    const oidc = issuer === undefined ? undefined : securityOf(issuer)
    if (oidc === undefined || !("flows" in oidc)) return { ...spec }
    const authorizationCode = { ...oidc.flows.authorizationCode, "x-usePkce": "SHA-256" }
    const paged = { ...oidc, flows: { ...oidc.flows, authorizationCode } }
    return { ...spec, components: { ...spec.components, securitySchemes: { ...securitySchemes, oidc: paged } } }
  })
