/**
 * Hands values from a fiber to an async iterator, one at a time: the fiber goes on only when the iterator has come back, so
 * whatever was handed over is worked off by then.
 */
import { Cause, Effect, Exit } from "effect"

export interface Turnstile<A> {
  /** Completes when the iterator has come back for the value after this one, or has ended. */
  readonly pass: (value: A) => Effect.Effect<void>
  /** The iterator's `next`. */
  readonly next: () => Promise<IteratorResult<A, undefined>>
  /** Ends the iterator: at once if it waits, else when it comes back. A failure is thrown by one `next`. */
  readonly end: (exit: Exit.Exit<void, unknown>) => void
}

interface Waiting<A> {
  readonly resolve: (result: IteratorResult<A, undefined>) => void
  readonly reject: (error: unknown) => void
}

const last: IteratorReturnResult<undefined> = { done: true, value: undefined }

export const make = <A>(): Turnstile<A> => {
  const waiting: Array<Waiting<A>> = []
  let offered: { readonly value: A; readonly passed: () => void } | undefined
  let release: (() => void) | undefined
  let ended: Exit.Exit<void, unknown> | undefined

  const settle = (waiter: Waiting<A>, exit: Exit.Exit<void, unknown>) => {
    ended = Exit.void
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) waiter.reject(Cause.squash(exit.cause))
    else waiter.resolve(last)
  }
  const handOver = () => {
    const waiter = offered === undefined ? undefined : waiting.shift()
    if (offered === undefined || waiter === undefined) return
    release = offered.passed
    const { value } = offered
    offered = undefined
    waiter.resolve({ done: false, value })
    // Someone asked for the value after this one before he got this one: he is back already.
    if (waiting.length > 0) releaseHeld()
  }
  const releaseHeld = () => {
    const passed = release
    release = undefined
    passed?.()
  }
  return {
    pass: (value) =>
      Effect.callback<void>((resume) => {
        if (ended !== undefined) return resume(Effect.void)
        offered = { value, passed: () => resume(Effect.void) }
        handOver()
      }),
    next: () =>
      new Promise((resolve, reject) => {
        const waiter = { resolve, reject }
        releaseHeld()
        if (ended !== undefined) return settle(waiter, ended)
        waiting.push(waiter)
        handOver()
      }),
    end: (exit) => {
      if (ended !== undefined) return
      ended = exit
      offered?.passed()
      offered = undefined
      releaseHeld()
      for (const waiter of waiting.splice(0)) settle(waiter, ended)
    }
  }
}
