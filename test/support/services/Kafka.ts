import { readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { findOrInstall, kafkaJars, run, which } from "./Installation.ts"
import { freePort, launch, onFreePort } from "./ServiceProcess.ts"
import type { Control, Probe } from "./ServiceProcess.ts"

/** ApiVersions v0, which a broker answers before anything else; the answer carries the correlation id at byte 4. */
export const kafkaProbe: Probe = {
  request: (() => {
    const message = Buffer.alloc(14)
    message.writeInt32BE(10, 0)
    message.writeInt16BE(18, 4)
    message.writeInt32BE(7, 8)
    message.writeInt16BE(-1, 12)
    return message
  })(),
  isReady: (answer) => answer.length >= 10 && answer.readInt32BE(4) === 7 && answer.readInt16BE(8) === 0
}

const version = (): string => {
  const pom = readFileSync(path.join(import.meta.dirname, "kafka/pom.xml"), "utf8")
  return /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(pom)?.[1] ?? ""
}

/** For a start in seconds and one small machine; nothing of it weakens what clients are promised. */
const settings = (port: number, controllerPort: number, data: string): Readonly<Record<string, string | number>> => ({
  "process.roles": "broker,controller",
  "node.id": 1,
  "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
  listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
  "controller.listener.names": "CONTROLLER",
  "inter.broker.listener.name": "PLAINTEXT",
  "log.dirs": data,
  "num.partitions": 1,
  "offsets.topic.num.partitions": 1,
  "offsets.topic.replication.factor": 1,
  "transaction.state.log.num.partitions": 1,
  "transaction.state.log.replication.factor": 1,
  "transaction.state.log.min.isr": 1,
  "share.coordinator.state.topic.replication.factor": 1,
  "share.coordinator.state.topic.min.isr": 1,
  "group.initial.rebalance.delay.ms": 0,
  "num.network.threads": 2,
  "num.io.threads": 2,
  "background.threads": 2,
  "log.cleaner.enable": "false",
  // A broker that was killed may register again only after this time.
  "broker.session.timeout.ms": 3_000,
  "broker.heartbeat.interval.ms": 500,
  "controller.quorum.election.timeout.ms": 200
})

/** Any UUID in URL-safe base64; a random one may begin with "-", which the tool takes for an option. */
const clusterId = "MkU3OEVBNTcwNTJENDM2Qk"

const cheap = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]

export const startKafkaHere = async (overrides: Readonly<Record<string, string | number>>): Promise<Control> => {
  const [java, jars] = await Promise.all([
    findOrInstall(() => which("java"), "Java 17 or later", "default-jre-headless"),
    kafkaJars(version())
  ])
  const classPath = path.join(jars, "*")
  return onFreePort(async (port, folder) => {
    const file = path.join(folder, "server.properties")
    const all = { ...settings(port, await freePort(), path.join(folder, "data")), ...overrides }
    writeFileSync(
      file,
      Object.entries(all)
        .map(([name, value]) => `${name}=${value}\n`)
        .join("")
    )
    const format = ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", file]
    await run(java, ["-Xmx128m", ...cheap, "-cp", classPath, ...format], { timeout: 60_000 })
    return launch({
      port,
      probe: kafkaProbe,
      stopSignal: "SIGTERM",
      spec: {
        command: java,
        args: [
          "-Xmx512m",
          ...cheap,
          "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
          "-cp",
          classPath,
          "kafka.Kafka",
          file
        ],
        cwd: folder,
        env: {},
        folder,
        log: path.join(folder, "service.log"),
        disposeSignal: "SIGKILL"
      }
    })
  }, "kafka")
}
