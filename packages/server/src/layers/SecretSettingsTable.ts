/**
 * The settings of the keys of what is secret at rest; part of the table in `Settings.ts`.
 */
import { Config } from "effect"
import { setting } from "./Setting.ts"

export const secretSettings = {
  keys: setting({
    name: "BECKON_KEYS",
    about:
      "The keys of secrets at rest (device tokens, credentials of senders, secrets of webhooks), as `id:64 hexadecimal digits`, separated by commas, the same on every node: the first seals, all of them open.",
    fallback: "none: BECKON_DEVICE_TOKEN_SECRET, or the file device-tokens.secret of the data folder, is the only key",
    production: "2026-11:change-me-64-hexadecimal-digits",
    secret: true,
    read: Config.option(Config.Redacted("BECKON_KEYS"))
  }),
  deviceTokenSecret: setting({
    name: "BECKON_DEVICE_TOKEN_SECRET",
    about:
      "One key without a name instead of BECKON_KEYS: 32 bytes in hexadecimal (openssl rand -hex 32). What it sealed cannot be read without it; beside BECKON_KEYS it only opens.",
    fallback: "without BECKON_KEYS a file in the data folder, made at the first start",
    secret: true,
    read: Config.option(Config.Redacted("BECKON_DEVICE_TOKEN_SECRET"))
  })
} as const
