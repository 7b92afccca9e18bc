import { layer } from "@effect/vitest"
import { Demo } from "./Demo.ts"
import { demoAccessibility } from "./DemoAccessibility.ts"
import { demoPage } from "./DemoPage.ts"
import { pages } from "./Pages.ts"

// One server and one browser for all of them: starting those takes longer than most of the tests.
layer(Demo.layer, { timeout: "60 seconds", excludeTestServices: true })((it) => {
  pages(it)
  demoPage(it)
  demoAccessibility(it)
})
