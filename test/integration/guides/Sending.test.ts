/**
 * The first notification, and the guides to what reaches a user who is not there.
 */
import { it } from "@effect/vitest"
import * as Session from "./Session.ts"

for (const name of Session.guides.sending) {
  it.live(`what ${name} tells to type works`, () => Session.follow(name), 360_000)
}
