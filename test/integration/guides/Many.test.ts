/**
 * The guides to what reaches many at once, and systems.
 */
import { it } from "@effect/vitest"
import * as Session from "./Session.ts"

for (const name of Session.guides.many) {
  it.live(`what ${name} tells to type works`, () => Session.follow(name), 360_000)
}
