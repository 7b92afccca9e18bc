/**
 * Flags that stand for settings of the environment, and win over them.
 */
import { Effect, Layer, Option, Schema } from "effect"
import { Flag } from "effect/cli"
import { ServerConfig } from "../layers/ServerConfig.ts"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))

export const dataDirFlag = Flag.String("data-dir").pipe(
  Flag.withMetavar("<folder>"),
  Flag.withDescription("Folder of the embedded database and of the secrets; default BECKON_DATA_DIR or .beckon"),
  Flag.withSchema(Schema.NonEmptyString),
  Flag.optional
)

export const portFlag = Flag.Int("port").pipe(
  Flag.withAlias("p"),
  Flag.withDescription("Port of HTTP, WebSocket and pages; 0 takes a free one; default PORT or 8080"),
  Flag.withSchema(Port),
  Flag.optional
)

export const hostFlag = Flag.String("host").pipe(
  Flag.withDescription("Address to listen on; default HOST, or 127.0.0.1 (0.0.0.0 with DATABASE_URL)"),
  Flag.withSchema(Schema.NonEmptyString),
  Flag.optional
)

export const jsonFlag = Flag.Boolean("json").pipe(
  Flag.withDescription("Print JSON for programs"),
  Flag.withDefault(false)
)

export interface Overrides {
  readonly dataDir?: Option.Option<string>
  readonly host?: Option.Option<string>
  readonly port?: Option.Option<number>
}

const given = <A>(flag: Option.Option<A> | undefined, otherwise: A): A =>
  flag === undefined ? otherwise : Option.getOrElse(flag, () => otherwise)

/** The configuration of the environment with what the flags say. */
export const layer = (overrides: Overrides) =>
  Layer.effect(
    ServerConfig,
    Effect.map(ServerConfig, (config) => ({
      ...config,
      dataDir: given(overrides.dataDir, config.dataDir),
      host: given(overrides.host, config.host),
      port: given(overrides.port, config.port)
    }))
  ).pipe(Layer.provide(ServerConfig.layer))
