import { defineConfig } from "vitest/config"

/** One project per kind of test; `scripts/test.ts` runs them in this order. */
const project = (name: string, include: ReadonlyArray<string>, seconds: number, fileParallelism = true) => ({
  test: {
    name,
    fileParallelism,
    include: [...include],
    // uWebSockets.js is a native addon: it lives in a process, not in a worker thread.
    pool: "forks" as const,
    testTimeout: seconds * 1000,
    hookTimeout: Math.max(seconds, 30) * 1000,
    passWithNoTests: true
  }
})

export default defineConfig({
  test: {
    maxWorkers: 2,
    // Starts nothing until a test asks for a service.
    globalSetup: "./test/support/services/SharedServices.ts",
    passWithNoTests: true,
    projects: [
      project("unit", ["packages/*/test/**/*.test.{ts,tsx}", "scripts/**/*.test.ts"], 10),
      project("contract", ["test/contract/**/*.test.ts"], 30),
      project("integration", ["test/integration/**/*.test.ts"], 60),
      // Its figures are times: nothing else should run meanwhile.
      project("cluster", ["test/cluster/**/*.test.ts"], 120, false),
      project("e2e", ["test/e2e/**/*.test.ts"], 120)
    ]
  }
})
