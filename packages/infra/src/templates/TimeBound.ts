/**
 * Ends synchronous code that takes too long, wherever it is.
 *
 * **Details**
 *
 * Limits inside a template engine are asked between its steps; V8's own termination, which `node:vm` offers, also ends a loop
 * or a regular expression that never comes to its next step. The code runs in the ordinary realm: this is a clock and no
 * sandbox.
 *
 * **Gotchas**
 *
 * The clock is a thread of its own for each call: about 0.1 ms. Native searches in strings cannot be ended; bound their
 * inputs.
 */
import vm from "node:vm"

const realm = vm.createContext({ work: (): void => undefined })
const call = new vm.Script("work()")

/** Whether `run` threw this because the time was over. */
export const isTimeOver = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT"

/** Throws what `work` throws. */
export const run = <A>(milliseconds: number, work: () => A): A => {
  const results: Array<A> = []
  const former = realm["work"]
  realm["work"] = () => void results.push(work())
  try {
    call.runInContext(realm, { timeout: milliseconds })
  } finally {
    realm["work"] = former
  }
  const [result] = results
  // An empty list would have thrown.
  return result as A
}
