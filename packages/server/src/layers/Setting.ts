/**
 * One setting of the server, as the documentation and the configuration share it.
 */
import type { Config } from "effect"

export interface Setting<A> {
  readonly name: string
  readonly about: string
  /** The default in words. */
  readonly fallback: string
  /** A value for `.env.example` of a production deployment; absent where the default fits. */
  readonly production?: string
  readonly secret?: boolean
  readonly read: Config.Config<A>
}

export const setting = <A>(options: Setting<A>): Setting<A> => options
