/**
 * The guides to what callers and tenants have to know.
 */
import { it } from "@effect/vitest"
import * as Session from "./Session.ts"

for (const name of Session.guides.sharing) {
  it.live(`what ${name} tells to type works`, () => Session.follow(name), 360_000)
}
