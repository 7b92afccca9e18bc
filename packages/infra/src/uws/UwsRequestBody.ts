/**
 * The body of one request on its way from the binding to the handler.
 *
 * **Details**
 *
 * Chunks wait in memory up to `highWaterBytes`; above that the socket is paused until the handler has taken them, so
 * that a slow handler slows its client down instead of filling memory. `collect` takes the whole body and pauses
 * nothing, since what it keeps is bounded: a body that turns out larger is let go at once.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import { copyBytes } from "./UwsNative.ts"

const highWaterBytes = 256 * 1024

/** Why a body cannot be read to its end. */
export type BodyFailure = "TooLarge" | "Aborted" | "TimedOut" | "AlreadyRead"

/** What arrived in one go; never empty. */
export type BodyChunks = [Uint8Array<ArrayBuffer>, ...Array<Uint8Array<ArrayBuffer>>]

export type BodyPull = Pull.Pull<BodyChunks, BodyFailure>

/** The socket under a body; called only while the response is alive. */
export interface BodyControl {
  readonly pause: () => void
  readonly resume: () => void
  /** Called once, when more than `maxBytes` came. */
  readonly tooLarge: () => void
}

export class RequestBody {
  /** Bytes that came so far. */
  received = 0
  /** True once the last byte came. */
  complete = false
  /** True while this side holds the socket back. */
  paused = false
  /** True once this side has held the socket back. */
  held = false
  private failure: BodyFailure | undefined
  private chunks: Array<Uint8Array<ArrayBuffer>> = []
  private buffered = 0
  private mode: "unread" | "stream" | "collect" = "unread"
  private collected: ArrayBuffer | undefined
  private maxCollected = Number.POSITIVE_INFINITY
  private wakers: Array<() => void> = []
  private readonly maxBytes: number
  private readonly control: BodyControl

  constructor(maxBytes: number, control: BodyControl) {
    this.maxBytes = maxBytes
    this.control = control
  }

  /** Native callback: `chunk` is only valid while this runs. */
  push(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.complete || this.failure !== undefined) return
    this.received += chunk.byteLength
    if (this.received > this.maxBytes) {
      this.complete = isLast
      this.failure = "TooLarge"
      this.chunks = []
      this.buffered = 0
      // Before the reader wakes: its own answer would not name the limit.
      this.control.tooLarge()
      this.wake()
      return
    }
    if (this.mode === "collect" && this.received > this.maxCollected) {
      this.complete = isLast
      return this.drop("TooLarge")
    }
    if (chunk.byteLength > 0) {
      this.chunks.push(copyBytes(chunk))
      this.buffered += chunk.byteLength
    }
    if (isLast) {
      this.complete = true
    } else if (this.buffered > highWaterBytes && this.mode !== "collect" && !this.paused) {
      this.paused = true
      this.held = true
      this.control.pause()
    }
    if (isLast || this.mode === "stream") this.wake()
  }

  /** Ends reading with `failure`, unless the body is complete; what waits in memory is let go. */
  fail(failure: BodyFailure): void {
    if (this.complete || this.failure !== undefined) return
    this.drop(failure)
  }

  /** Lets a held socket flow again. */
  unpause(): void {
    if (!this.paused) return
    this.paused = false
    this.control.resume()
  }

  /** Starts the one streaming read. A body that was collected before is given from memory. */
  readonly open: Effect.Effect<BodyPull, BodyFailure> = Effect.suspend(() => {
    if (this.mode === "stream") return Effect.fail<BodyFailure>("AlreadyRead")
    if (this.mode === "collect") {
      let given = false
      return Effect.succeed(
        Effect.suspend((): BodyPull => {
          if (given) return Cause.done()
          given = true
          return Effect.flatMap(this.collect(this.maxBytes), (buffer): BodyPull =>
            buffer.byteLength === 0 ? Cause.done() : Effect.succeed([new Uint8Array(buffer)])
          )
        })
      )
    }
    this.mode = "stream"
    return Effect.succeed(this.pull)
  })

  /** The whole body, kept for later calls. Fails with `TooLarge` as soon as more than `maxBytes` came, and keeps nothing then. */
  collect(maxBytes: number): Effect.Effect<ArrayBuffer, BodyFailure> {
    return Effect.suspend(() => {
      if (this.mode === "stream") return Effect.fail<BodyFailure>("AlreadyRead")
      this.mode = "collect"
      this.maxCollected = maxBytes
      if (!this.complete && this.received > maxBytes) this.fail("TooLarge")
      this.unpause()
      return Effect.flatMapEager(
        this.until(() => this.complete),
        () =>
          this.received > maxBytes
            ? Effect.fail<BodyFailure>("TooLarge")
            : Effect.succeed((this.collected ??= this.join()))
      )
    })
  }

  private readonly pull: BodyPull = Effect.suspend(() =>
    Effect.flatMapEager(
      this.until(() => this.complete || this.chunks.length > 0),
      (): BodyPull => {
        const [first, ...rest] = this.chunks
        if (first === undefined) return Cause.done()
        this.chunks = []
        this.buffered = 0
        this.unpause()
        return Effect.succeed([first, ...rest])
      }
    )
  )

  private until(ready: () => boolean): Effect.Effect<void, BodyFailure> {
    if (this.failure !== undefined) return Effect.fail(this.failure)
    if (ready()) return Effect.void
    return Effect.callback<void, BodyFailure>((resume) => {
      const waker = () => {
        if (this.failure !== undefined) resume(Effect.fail(this.failure))
        else resume(Effect.void)
      }
      this.wakers.push(waker)
      return Effect.sync(() => {
        this.wakers = this.wakers.filter((other) => other !== waker)
      })
    })
  }

  private drop(failure: BodyFailure): void {
    this.failure = failure
    this.chunks = []
    this.buffered = 0
    this.wake()
  }

  private wake(): void {
    const wakers = this.wakers
    if (wakers.length === 0) return
    this.wakers = []
    for (const waker of wakers) waker()
  }

  private join(): ArrayBuffer {
    const chunks = this.chunks
    this.chunks = []
    this.buffered = 0
    if (chunks.length === 1) return chunks[0]!.buffer
    const all = new Uint8Array(this.received)
    let offset = 0
    for (const chunk of chunks) {
      all.set(chunk, offset)
      offset += chunk.byteLength
    }
    return all.buffer
  }
}
