/**
 * One request and its answer, guarded: the native response dies when the client goes away or the answer ends, and any
 * touch after that throws. Everything that writes goes through here and becomes a no-op then.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HttpRequest, HttpResponse } from "uWebSockets.js"
import type { OpenRequest, UwsConnections } from "./UwsConnections.ts"
import { remoteAddressText } from "./UwsNative.ts"
import { endWithProblem, type Problem, problemDetails, writeProblemHead } from "./UwsProblem.ts"
import { type BodyFailure, RequestBody } from "./UwsRequestBody.ts"
import { bodyTooLarge, hasBody, readHead, refuseHead } from "./UwsRequestHead.ts"
import type { UwsLimits } from "./UwsServer.ts"

/** What a listener needs of its server. */
export interface UwsHost {
  readonly limits: UwsLimits
  readonly connections: UwsConnections
}

/** How long and how much of a refused body is still read, so that the client gets to see the answer. */
const lingerMillis = 2000
const lingerBytes = 4 * 1024 * 1024

const limitsOf = (limits: UwsLimits, path: string): UwsLimits => {
  const upload = limits.uploads?.get(path)
  return upload === undefined ? limits : { ...limits, ...upload }
}

export class Exchange implements OpenRequest {
  readonly res: HttpResponse
  readonly method: string
  /** Request target, path and query, as sent. */
  readonly target: string
  readonly headers: Record<string, string>
  readonly remoteAddress: string
  readonly body: RequestBody | undefined
  /** True when `res` must not be touched: answered, or the client is gone. */
  ended = false
  /** True when the client or the server cut the connection before the answer ended. */
  aborted = false
  /** True once the head of the answer is written. */
  headWritten = false
  /** True once there is an answer to send, although its head may wait for the first piece of its body. */
  responding = false
  /** True while the socket takes no more bytes. */
  blocked = false
  /** Called when there is nobody to answer any more: the connection is cut, or a time limit has answered. */
  onCut: ((by: "client" | "limit") => void) | undefined
  private onUnblocked: (() => void) | undefined
  private listensWritable = false
  private readonly startedAt: number
  private bodyMillis = 0
  private lastCheck = 0
  private lingering = -1
  private lingered = 0
  readonly host: UwsHost
  /** Those of the host, with what its path may have more. */
  private readonly limits: UwsLimits

  /** Copies what it needs of `req`, which is only valid while the native handler runs. */
  constructor(host: UwsHost, res: HttpResponse, req: HttpRequest) {
    this.host = host
    this.res = res
    this.method = req.getCaseSensitiveMethod().toUpperCase()
    const query = req.getQuery()
    this.target = query === undefined || query === "" ? req.getUrl() : `${req.getUrl()}?${query}`
    const head = readHead(req, this.target.length)
    this.headers = head.headers
    this.remoteAddress = remoteAddressText(res)
    this.startedAt = host.connections.clock.currentTimeMillisUnsafe()
    this.limits = limitsOf(host.limits, req.getUrl())
    const refusal = refuseHead(head, this.limits)
    if (hasBody(this.headers)) {
      this.body = new RequestBody(this.limits.maxBodyBytes, {
        pause: () => this.ended || this.res.pause(),
        resume: () => this.ended || this.res.resume(),
        tooLarge: () => this.answerProblem(bodyTooLarge(this.limits))
      })
    }
    if (refusal !== undefined) this.answerProblem(refusal)
    // After a refusal too: the rest of the body has to go somewhere until the connection closes.
    if (this.body !== undefined && !this.ended) {
      res.onData((chunk, isLast) => this.guard(() => this.pushBody(chunk, isLast)))
    }
  }

  /**
   * Takes a request in a native route handler: runs `handle` unless the head was refused, and never throws. What is
   * thrown is logged and cuts the connection.
   */
  static start(host: UwsHost, res: HttpResponse, req: HttpRequest, handle: (exchange: Exchange) => void): void {
    const exchange = new Exchange(host, res, req)
    exchange.guard(() => {
      if (!exchange.answered) handle(exchange)
      exchange.track()
    })
  }

  /** Runs `f` where nobody would catch what it throws: logs it and cuts the connection. */
  guard(f: () => void): void {
    try {
      f()
    } catch (cause) {
      this.host.connections.report("A request outside its handler", cause)
      this.abort()
    }
  }

  /** True when neither a handler nor the adapter has to answer any more. */
  get answered(): boolean {
    return this.ended || this.lingering >= 0
  }

  // Must run before the native handler returns when the answer has not ended by then.
  private track(): void {
    if (this.ended) return
    this.res.onAborted(() => this.guard(() => this.cut()))
    this.host.connections.add(this)
  }

  /** Ends the life of `res`: to be called with the last write, or when it is closed. */
  finish(): void {
    this.ended = true
    this.body?.fail("Aborted")
    this.host.connections.remove(this)
    this.unblock()
  }

  /**
   * True when the connection ends with this answer. The unread rest of a body of declared length is dropped by the
   * binding; one of unknown length could go on for ever.
   */
  get closes(): boolean {
    return (
      this.host.connections.draining ||
      (this.body !== undefined && !this.body.complete && this.headers["content-length"] === undefined)
    )
  }

  /**
   * Runs `write`, which ends the answer, with the socket corked. `close` asks it for a `connection: close`; the binding
   * can write that itself only when it also writes the head.
   */
  end(write: (res: HttpResponse, close: boolean) => void): void {
    if (this.answered) return
    const close = this.closes
    this.release()
    this.res.cork(() => write(this.res, close))
    this.finish()
  }

  /** Before the last byte: a held socket would stay held for the next request. */
  release(): void {
    if (this.body === undefined || this.body.complete) return
    const { closes } = this
    this.body.fail("Aborted")
    this.body.unpause()
    if (closes) this.res.pause()
  }

  /** Runs `write` with the socket corked, unless the answer is over. */
  cork(write: () => void): void {
    if (this.answered) return
    this.res.cork(write)
  }

  /** Says that the socket took not all; to be called right after the write, before the event loop turns. */
  block(): void {
    if (this.ended) return
    this.blocked = true
    if (this.listensWritable) return
    this.listensWritable = true
    this.res.onWritable(() => {
      this.guard(() => this.unblock())
      return true
    })
  }

  /** Waits until the socket takes bytes again, or is gone. */
  readonly drained: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (!this.blocked) return resume(Effect.void)
    this.onUnblocked = () => resume(Effect.void)
    return Effect.sync(() => {
      this.onUnblocked = undefined
    })
  })

  /** Cuts the connection: an answer that has begun cannot be completed. */
  abort(): void {
    if (!this.ended) this.res.close()
    // The abort callback is not there while the native handler runs.
    if (!this.ended) this.cut()
  }

  /** Answers with a problem if nothing is written yet, and cuts the connection otherwise. */
  answerProblem(problem: Problem, failure: BodyFailure = "Aborted"): void {
    if (this.answered) return
    if (this.headWritten) return this.abort()
    this.headWritten = true
    const details = problemDetails(problem)
    if (this.body === undefined || this.body.complete) {
      endWithProblem(this.res, problem.status, details, {
        headers: problem.headers,
        close: this.host.connections.draining
      })
      return this.finish()
    }
    // Closing at once with unread bytes resets the connection and the client loses the answer: it is sent without its
    // last chunk, and some more of the body is read.
    this.lingering = this.host.connections.clock.currentTimeMillisUnsafe()
    this.body.fail(failure)
    this.body.unpause()
    this.res.cork(() => {
      writeProblemHead(this.res, problem.status, { ...problem.headers, connection: "close" })
      this.res.write(JSON.stringify(details))
    })
  }

  check(now: number): void {
    if (this.ended) return
    if (this.lingering >= 0) {
      if (now - this.lingering >= lingerMillis) this.endLinger(false)
      return
    }
    const { limits } = this
    if (this.body !== undefined && !this.body.complete) {
      // The binding cuts uploads under 16 KB/s after 10 s, held ones too; this renews its timer, ours decides.
      this.res.pause()
      if (!this.body.paused) {
        this.res.resume()
        this.bodyMillis += now - Math.max(this.startedAt, this.lastCheck)
      }
      if (this.bodyMillis >= Duration.toMillis(limits.bodyTimeout)) {
        this.answerProblem(
          {
            status: 408,
            detail: "The request body did not arrive in time.",
            limit: { name: "bodyTimeoutMillis", value: Duration.toMillis(limits.bodyTimeout) }
          },
          "TimedOut"
        )
        this.onCut?.("limit")
        return
      }
    }
    // The last bytes can come before a hold is noticed. Letting the socket go then starts the binding's timer again, with nothing left
    // to come: it would cut a client that only waits for its answer.
    if (this.body?.complete && this.body.held && !this.responding && !this.headWritten) {
      this.res.pause()
      this.res.resume()
    }
    this.lastCheck = now
    const { handlerTimeout } = limits
    if (
      handlerTimeout !== undefined &&
      !this.responding &&
      !this.headWritten &&
      now - this.startedAt >= Duration.toMillis(handlerTimeout)
    ) {
      this.answerProblem({
        status: 503,
        detail: "The request took too long to handle.",
        limit: { name: "handlerTimeoutMillis", value: Duration.toMillis(handlerTimeout) }
      })
      this.onCut?.("limit")
    }
  }

  private cut(): void {
    if (this.ended) return
    this.aborted = true
    this.finish()
    this.onCut?.("client")
  }

  private unblock(): void {
    this.blocked = false
    const resume = this.onUnblocked
    if (resume === undefined) return
    this.onUnblocked = undefined
    resume()
  }

  private pushBody(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.lingering >= 0) {
      this.lingered += chunk.byteLength
      if (isLast || this.lingered > lingerBytes) this.endLinger(isLast)
      return
    }
    this.body?.push(chunk, isLast)
  }

  /** Unread bytes stay in the kernel: the client was told to close, and the binding does so after 10 s. */
  private endLinger(complete: boolean): void {
    if (this.ended) return
    if (!complete) this.res.pause()
    this.res.cork(() => {
      this.res.end()
    })
    this.finish()
  }
}
