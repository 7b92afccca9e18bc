import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "node:net"
import type { AddressInfo, Server } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { generate } from "selfsigned"
import { startKafka } from "../../support/services/Services.ts"
import { makeJournal, recordOf, startNode } from "./KafkaNodes.ts"

/** A key and a certificate of `localhost` and 127.0.0.1, signed by itself, for this run. */
const selfSigned = Effect.promise(() =>
  generate([{ name: "commonName", value: "localhost" }], {
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" }
        ]
      }
    ]
  })
)

const portOf = (server: Server): number => (server.address() as AddressInfo).port

const listen = (server: Server) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    () => Effect.sync(() => server.close())
  )

it.live(
  "with TLS the broker's certificate must be known",
  () =>
    Effect.gen(function* () {
      const door = { port: 0 }
      const { cert: certificate, private: key } = yield* selfSigned
      // TLS ends here, as at a load balancer; the broker behind it names this address as its own.
      const proxy = yield* listen(
        createTlsServer({ cert: certificate, key }, (socket) => {
          const broker = connect(door.port, "127.0.0.1")
          for (const end of [socket, broker]) end.on("error", () => [socket, broker].forEach((each) => each.destroy()))
          socket.pipe(broker).pipe(socket)
        })
      )
      const address = `127.0.0.1:${portOf(proxy)}`
      const kafka = yield* startKafka({ settings: { "advertised.listeners": `PLAINTEXT://${address}` } })
      door.port = kafka.port
      const settings = { brokers: [address], topics: ["events"], connectTimeout: 500 }
      const node = yield* startNode({ ...settings, tls: { ca: certificate } })
      const journal = makeJournal()
      yield* node.consume("events", (records) => Effect.sync(() => journal.add(records)))
      yield* node.bus.publish([recordOf("events", "key", 1)])
      yield* journal.reaches(1)
      expect((yield* Effect.flip(startNode({ ...settings, tls: true })))._tag).toBe("KafkaUnavailable")
    }),
  90_000
)
