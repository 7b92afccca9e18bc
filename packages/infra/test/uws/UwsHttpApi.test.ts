import { expect, it } from "@effect/vitest"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import { Effect, Layer, Schema } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiClient, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"

class Greeting extends Schema.Class<Greeting>("Greeting")({ text: Schema.String, times: Schema.Number }) {}

const api = HttpApi.make("api").add(
  HttpApiGroup.make("greetings").add(
    HttpApiEndpoint.post("greet", "/greet/:name", {
      params: { name: Schema.String },
      payload: Schema.Struct({ times: Schema.Number }),
      success: Greeting
    })
  )
)

const handlers = HttpApiBuilder.group(api, "greetings", (group) =>
  group.handle("greet", ({ params, payload }) =>
    Effect.succeed(new Greeting({ text: `Hello ${params.name}`, times: payload.times }))
  )
)

const served = HttpRouter.serve(HttpApiBuilder.layer(api).pipe(Layer.provide(handlers)), {
  disableLogger: true,
  disableListenLog: true
}).pipe(Layer.provideMerge(UwsHttpServer.layer()), Layer.provide(UwsServer.layer({ host: "127.0.0.1", port: 0 })))

it.live("an HttpApi runs on it: typed client, decoding errors, unknown paths", () =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const baseUrl = HttpServer.formatAddress(address)
    const client = yield* HttpApiClient.make(api, { baseUrl })
    const greeting = yield* client.greetings.greet({ params: { name: "Ann" }, payload: { times: 2 } })
    expect(greeting).toEqual(new Greeting({ text: "Hello Ann", times: 2 }))
    const wrong = yield* Effect.promise((signal) =>
      fetch(`${baseUrl}/greet/Ann`, {
        method: "POST",
        signal,
        headers: { "content-type": "application/json" },
        body: '{"times":"two"}'
      })
    )
    expect(wrong.status).toBe(400)
  }).pipe(Effect.provide([served, FetchHttpClient.layer]))
)
