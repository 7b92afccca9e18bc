/**
 * A server on the copy goes on where the one on the folder ended.
 */
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { layerEmbedded, layerServer } from "@beckon/infra/postgres/DatabaseClient"
import * as SqlDeviceStore from "@beckon/infra/postgres/SqlDeviceStore"
import * as SecretFile from "@beckon/infra/security/SecretFile"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import { NodeServices } from "@effect/platform-node"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { readFileSync } from "node:fs"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { call } from "../road/Road.ts"
import { copy, target } from "./Ends.ts"

const owner = { tenantId: TenantId.make("default"), userId: UserId.make("alice") }

/** The devices of a database whose tokens were sealed under the secret of this folder. */
const devices = (secretOf: string) =>
  SqlDeviceStore.layer.pipe(
    Layer.provide(
      Layer.unwrap(
        Effect.map(SecretFile.readOrMake(path.join(secretOf, "device-tokens.secret")), TokenCipher.layer)
      ).pipe(Layer.provide(NodeServices.layer))
    )
  )

const send = (url: string, token: string, title: string) =>
  Effect.map(
    call(url, "/api/v1/services/notifications/send", {
      token,
      body: { user_id: "alice", type: "t", title, message: "m", data: { title } }
    }),
    ({ body, status }) => {
      expect(status).toBeLessThan(300)
      return body.data.seq as number
    }
  )

const inbox = (url: string, token: string) =>
  Effect.map(call(url, "/api/v1/users/me/notifications?status=all&limit=50", { token }), ({ body }) => body)

layer(Layer.empty, { excludeTestServices: true, timeout: "60 seconds" })("a server on a copied database", (it) => {
  it.effect(
    "serves the same inbox to the same tokens, and continues its numbers",
    () =>
      Effect.gen(function* () {
        const first = yield* BeckonProcess.start()
        const service = yield* first.token({ sub: "shop", roles: ["service"] })
        const alice = yield* first.token({ sub: "alice" })
        for (const title of ["one", "two", "three"]) yield* send(first.url, service, title)
        const befriend = (url: string, requesterId: string) =>
          call(url, "/api/friendships/send-request", { token: service, body: { requesterId, recipientId: "alice" } })
        expect(yield* befriend(first.url, "bob")).toMatchObject({ status: 201 })
        yield* first.kill("SIGTERM")
        yield* first.exit
        yield* Effect.provide(
          DeviceStore.use((store) => store.register(owner, { platform: "ios", token: "token of a phone" })),
          Layer.provide(devices(first.dataDir), layerEmbedded({ dataDir: first.dataDir }))
        )
        const again = yield* BeckonProcess.start({ dataDir: first.dataDir })
        const before = yield* inbox(again.url, alice)
        expect(before.data.length).toBeGreaterThanOrEqual(3)
        yield* again.kill("SIGTERM")
        yield* again.exit

        const { url } = yield* target
        const copied = yield* BeckonProcess.run(copy(url, "--from", first.dataDir, "--verify", "--json"))
        expect(copied.code).toBe(0)
        const secret = (name: string) => readFileSync(path.join(first.dataDir, name), "utf8").trim()
        const second = yield* BeckonProcess.start({
          env: {
            DATABASE_URL: url,
            HOST: "127.0.0.1",
            BECKON_JWT_SECRET: `hex:${secret("jwt.secret")}`,
            BECKON_DEVICE_TOKEN_SECRET: secret("device-tokens.secret")
          }
        })
        // Tokens of the first server are good here: the secret came along.
        expect(yield* inbox(second.url, alice)).toEqual(before)
        const highest = Math.max(...before.data.map(({ seq }: { readonly seq: number }) => seq))
        expect(yield* send(second.url, service, "four")).toBe(highest + 1)
        expect(yield* befriend(second.url, "bob")).toMatchObject({ status: 409 })
        expect(yield* befriend(second.url, "carol")).toMatchObject({ status: 201 })
        const phones = yield* Effect.provide(
          DeviceStore.use((store) => store.list(owner)),
          Layer.provide(devices(first.dataDir), layerServer({ url: Redacted.make(url) }))
        )
        expect(phones).toEqual([{ platform: "ios", token: "token of a phone" }])

        // The way back: the folder still has everything up to the copy.
        const back = yield* BeckonProcess.start({ dataDir: first.dataDir })
        expect(yield* inbox(back.url, alice)).toEqual(before)
      }),
    120_000
  )
})
