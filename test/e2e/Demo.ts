/**
 * The demo page for tests: a server of its own, a browser, and the page's two sides by what a person sees of them.
 */
import { Context, Effect, Layer } from "effect"
import { mkdirSync } from "node:fs"
import path from "node:path"
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from "playwright-core"
import * as BeckonProcess from "../support/BeckonProcess.ts"
import * as Chromium from "../support/Chromium.ts"

const screenshots = path.join(import.meta.dirname, "screenshots")

/** Who is on the page; `?pair=` gives each test two people of its own. */
export type Name = "Alice" | "Bob"

export interface Side {
  readonly region: Locator
  readonly befriend: Locator
  readonly network: Locator
  readonly bell: Locator
  readonly notice: Locator
  readonly toasts: Locator
  /** The entry whose text has this. */
  readonly entry: (text: string) => Locator
  readonly messages: () => Promise<ReadonlyArray<string>>
  /** Waits until the badge shows this many unread; 0 is no badge. */
  readonly unread: (count: number) => Promise<void>
  readonly status: (text: "Live" | "Connecting" | "Offline") => Promise<void>
  /** Waits for the line below the list. */
  readonly place: (text: RegExp) => Promise<void>
}

const sideOf = (page: Page, name: Name): Side => {
  const region = page.getByRole("region", { name, exact: true })
  return {
    region,
    befriend: region.getByRole("button", { name: "Send friend request" }),
    network: region.getByRole("switch"),
    bell: region.getByRole("button", { name: /^Notifications of/ }),
    notice: region.locator(".notice"),
    toasts: region.locator(".toast"),
    entry: (text) => region.getByRole("listitem").filter({ hasText: text }),
    messages: () => region.locator(".entry .message").allTextContents(),
    unread: (count) =>
      count === 0
        ? region.getByRole("button", { name: ", 0 unread" }).waitFor()
        : region.locator(".badge", { hasText: new RegExp(`^${count}$`) }).waitFor(),
    status: (text) => region.locator(".status", { hasText: text }).waitFor(),
    place: (text) => region.locator(".place", { hasText: text }).waitFor()
  }
}

export interface DemoPage {
  readonly page: Page
  readonly alice: Side
  readonly bob: Side
  /** Errors and warnings of the console, uncaught exceptions and failed requests so far. */
  readonly complaints: ReadonlyArray<string>
  readonly screenshot: (name: string) => Promise<void>
}

let pairs = 0

/** Names that no test of this run has used. */
export const freshPair = (): string => `t${process.pid}-${++pairs}`

/** Opens `/` for a pair and waits until both sides are live. */
export const openPage = async (context: BrowserContext, url: string, pair: string): Promise<DemoPage> => {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const complaints: Array<string> = []
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`))
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`))
  await page.goto(`${url}/?pair=${pair}`)
  const alice = sideOf(page, "Alice")
  const bob = sideOf(page, "Bob")
  await Promise.all([alice.status("Live"), bob.status("Live")])
  return {
    page,
    alice,
    bob,
    complaints,
    screenshot: async (name) => {
      mkdirSync(screenshots, { recursive: true })
      await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true })
    }
  }
}

/** Sends notifications over HTTP one after the other, as a backend does. */
export const sendAll = (server: BeckonProcess.BeckonProcess, userId: string, messages: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const token = yield* server.token({ sub: "backend", roles: ["service"] })
    for (const message of messages) {
      const answer = yield* Effect.promise(() =>
        fetch(`${server.url}/api/v1/services/notifications/send`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
          body: JSON.stringify({ user_id: userId, type: "test", title: "Test", message })
        })
      )
      if (answer.status !== 202) return yield* Effect.die(new Error(`send answered ${answer.status}`))
    }
  })

export class Demo extends Context.Service<
  Demo,
  {
    readonly browser: Browser
    readonly server: BeckonProcess.BeckonProcess
    /** A browser profile of one person, closed after `use`. */
    readonly browse: <A>(
      use: (context: BrowserContext) => Promise<A>,
      options?: BrowserContextOptions
    ) => Effect.Effect<A>
  }
>()("@beckon/test/e2e/Demo") {
  static readonly layer = Layer.effect(
    Demo,
    Effect.gen(function* () {
      const [server, browser] = yield* Effect.all([BeckonProcess.start(), Chromium.launch], { concurrency: 2 })
      return {
        browser,
        server,
        browse: (use, options) =>
          Effect.acquireUseRelease(
            Effect.promise(() => browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })),
            (context) => Effect.promise(() => use(context)),
            (context) => Effect.promise(() => context.close())
          )
      }
    })
  )
}
