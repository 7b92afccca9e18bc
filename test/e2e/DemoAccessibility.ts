/**
 * The demo page with axe-core, with the keyboard alone and on a small screen.
 */
import { describe, expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Page } from "playwright-core"
import { Demo, freshPair, openPage, sendAll } from "./Demo.ts"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

interface Violation {
  readonly id: string
  readonly nodes: ReadonlyArray<{ readonly target: ReadonlyArray<string>; readonly failureSummary: string }>
}

/** Every rule that axe-core has for WCAG 2.2 A and AA and for best practice; answers what breaks one. */
const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axe)
  const found = await page.evaluate<ReadonlyArray<Violation>>("axe.run(document).then((result) => result.violations)")
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ failureSummary, target }) => `${id} ${target.join(" ")}: ${failureSummary}`)
  )
}

/** Presses Tab until the element in focus has this name; every stop on the way must be visible as such. */
const tabTo = async (page: Page, name: RegExp): Promise<void> => {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab")
    const [label, ring] = await page.evaluate<[string, string]>(`(() => {
      const element = document.activeElement
      const shown = element.matches(".switch input") ? element.nextElementSibling : element
      return [element.getAttribute("aria-label") ?? element.textContent.trim(), getComputedStyle(shown).outlineStyle]
    })()`)
    expect(ring, `focus ring of "${label}"`).not.toBe("none")
    if (name.test(label)) return
  }
  expect.fail(`Tab never reached ${name}`)
}

const scrollsSideways = (page: Page) =>
  page.evaluate<boolean>("document.documentElement.scrollWidth > document.documentElement.clientWidth")

export const demoAccessibility = (it: Vitest.MethodsNonLive<Demo>) =>
  describe("demo page for everyone", () => {
    for (const colorScheme of ["light", "dark"] as const) {
      for (const [device, width, height] of [
        ["desk", 1280, 900],
        ["phone", 360, 740]
      ] as const) {
        it.effect(`axe-core finds nothing: ${colorScheme}, ${device}; nothing scrolls sideways`, () =>
          Effect.gen(function* () {
            const { browse, server } = yield* Demo
            const pair = freshPair()
            yield* browse(
              async (context) => {
                const demo = await openPage(context, server.url, pair)
                expect(await violations(demo.page)).toEqual([])

                await demo.alice.befriend.click()
                await demo.bob.unread(1)
                await demo.alice.befriend.click()
                await demo.alice.notice.waitFor()
                await Effect.runPromise(sendAll(server, `bob-${pair}`, [`A long word: ${"x".repeat(300)}`]))
                await demo.bob.unread(2)
                expect(await violations(demo.page)).toEqual([])
                expect(await scrollsSideways(demo.page)).toBe(false)

                await demo.bob.network.click()
                await demo.bob.status("Offline")
                expect(await violations(demo.page)).toEqual([])
                expect(await scrollsSideways(demo.page)).toBe(false)
                await demo.screenshot(`${colorScheme}-${device}`)
              },
              { colorScheme, reducedMotion: "reduce", viewport: { width, height } }
            )
          })
        )
      }
    }

    it.effect("works with the keyboard alone, and never loses the focus", () =>
      Effect.gen(function* () {
        const { browse, server } = yield* Demo
        yield* browse(async (context) => {
          const demo = await openPage(context, server.url, freshPair())
          const { alice, bob, page } = demo
          const inFocus = () =>
            page.evaluate<string>(
              "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
            )

          await tabTo(page, /^Skip to the demo$/)
          await page.keyboard.press("Enter")
          await tabTo(page, /^Send friend request to Bob$/)
          await page.keyboard.press("Enter")
          await bob.unread(1)

          await tabTo(page, /^Accept: Alice sent you/)
          await page.keyboard.press("Enter")
          await bob.entry("Accepted").waitFor()
          await alice.unread(1)
          await bob.unread(0)
          expect(await inFocus()).toBe("Mark unread: Alice sent you a friend request")

          await page.keyboard.press("Space")
          await bob.unread(1)
          await tabTo(page, /^Delete: Alice/)
          await page.keyboard.press("Enter")
          await bob.entry("New Friend Request").waitFor({ state: "detached" })
          expect(await inFocus()).toBe("Notifications")

          await tabTo(page, /^Network of Bob$/)
          await page.keyboard.press("Space")
          await bob.status("Offline")
          await page.keyboard.press("Space")
          await bob.status("Live")

          await page.keyboard.press("Shift+Tab")
          await alice.bell.focus()
          await page.keyboard.press("Enter")
          await alice.region.getByRole("list").waitFor({ state: "hidden" })
          expect(await alice.bell.getAttribute("aria-expanded")).toBe("false")
          await page.keyboard.press("Enter")
          await alice.region.getByRole("list").waitFor()
          expect(demo.complaints).toEqual([])
        })
      })
    )
  })
