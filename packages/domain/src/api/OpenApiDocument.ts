/**
 * What the OpenAPI document says beyond the definition of the API: who may call what, how to get a token, and which operations
 * belong together.
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

const withPolicy = (operation: Operation, scope: Policy.Scope, issuer: Issuer | undefined) => ({
  ...operation,
  description: [operation.description, `Needs the scope \`${scope}\`: ${Policy.scopes[scope]}`]
    .filter((text) => text !== undefined)
    .join("\n\n"),
  "x-required-scope": scope,
  "x-roles": Policy.rolesWith(scope),
  security: issuer === undefined ? operation.security : [...operation.security, { oidc: [scope] }]
})

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
      authorizationCode: { authorizationUrl, tokenUrl, scopes: Policy.scopes, "x-usePkce": "SHA-256" },
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
      for (const tag of operation.tags) chapterOfTag.set(tag, chapterOf(path))
      const scope = scopes.get(operation.operationId)
      if (scope !== undefined) item[method] = withPolicy(operation, scope, issuer)
    }
  }
  return Object.assign(spec, {
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

/** The same for everything that makes its document from the API: the interactive page. */
export const annotate = <Id extends string, Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<Id, Groups>,
  issuer?: Issuer
): HttpApi.HttpApi<Id, Groups> => api.annotate(OpenApi.Transform, () => ({ ...make(api, issuer) }))
