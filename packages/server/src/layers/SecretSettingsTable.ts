/**
 * The settings of keys and of who may use the deployment's accounts with senders; part of the table in `Settings.ts`.
 */
import { Config, Schema } from "effect"
import { setting } from "./Setting.ts"

const SharedProviders = Schema.String.check(
  Schema.isPattern(/^[^,\u0000-\u001f]+(?:,[^,\u0000-\u001f]+)*$/, {
    expected: "all, none, or ids of tenants, separated by commas"
  })
)

export const secretSettings = {
  keys: setting({
    name: "BECKON_KEYS",
    about:
      "The keys of secrets at rest, as `id:64 hexadecimal digits`, separated by commas: the first seals, all of them open. BECKON_DEVICE_TOKEN_SECRET opens too.",
    fallback: "none: BECKON_DEVICE_TOKEN_SECRET, or the file device-tokens.secret of the data folder, is the only key",
    production: "2026-11:change-me-64-hexadecimal-digits",
    secret: true,
    read: Config.option(Config.Redacted("BECKON_KEYS"))
  }),
  sharedProviders: setting({
    name: "BECKON_SHARED_PROVIDERS",
    about:
      "Which tenants may use the deployment's accounts with senders on channels where they have none of their own: all, none, or their ids, separated by commas.",
    fallback: "all",
    read: Config.schema(SharedProviders, "BECKON_SHARED_PROVIDERS").pipe(Config.withDefault("all"))
  })
} as const
