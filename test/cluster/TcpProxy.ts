/**
 * A TCP proxy whose traffic a test can cut without closing anything: what a network does when a switch dies.
 *
 * **Details**
 *
 * While `isCut` says so for the process that connected, nothing passes in either direction, no connection is refused and none
 * is closed; what was sent waits in buffers and goes on when the cut heals, as TCP would bring it.
 *
 * **Gotchas**
 *
 * Who connected is found in `/proc` (Linux): all processes of a machine come from the same address.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { connect, createServer } from "node:net"
import type { Server, Socket } from "node:net"

export interface Address {
  readonly host: string
  readonly port: number
}

/** The socket's inode by the port of its own end; the kernel's table has the port in hexadecimal. */
const inodeOf = (port: number): string | undefined => {
  const hexadecimal = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/)
    if (fields[1]?.endsWith(hexadecimal) === true && fields[9] !== "0") return fields[9]
  }
  return undefined
}

const holds = (pid: number, inode: string): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}

/** Which of these processes has the other end of a connection from this machine. */
const processOf = (port: number, pids: ReadonlyArray<number>): number | undefined => {
  const inode = inodeOf(port)
  return inode === undefined ? undefined : pids.find((pid) => holds(pid, inode))
}

const listening = (server: Server, { host, port }: Address): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      server.once("error", (cause) => resume(Effect.die(cause)))
      server.listen(port, host, () => resume(Effect.succeed(server)))
    }),
    () => Effect.sync(() => server.close())
  )

/** Both directions, until either side ends. */
export const splice = (left: Socket, right: Socket): void => {
  left.pipe(right)
  right.pipe(left)
  for (const [one, other] of [
    [left, right],
    [right, left]
  ] as const) {
    one.on("error", () => other.destroy())
    one.on("close", () => other.destroy())
  }
}

/** Listens; the sockets that `handle` is given are destroyed with the scope. */
export const serve = (address: Address, handle: (socket: Socket) => void): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const open = new Set<Socket>()
    const server = createServer({ noDelay: true }, (socket) => {
      open.add(socket)
      socket.on("close", () => open.delete(socket))
      socket.on("error", () => socket.destroy())
      handle(socket)
    })
    yield* listening(server, address)
    yield* Effect.addFinalizer(() => Effect.sync(() => open.forEach((socket) => socket.destroy())))
    return server
  })

export interface TcpProxy {
  /** Cuts and heals: asks `isCut` again for every connection. */
  readonly update: () => void
}

interface Pair {
  readonly from: Socket
  readonly to: Socket
  readonly pid: number | undefined
}

export const make = (options: {
  readonly listen: Address
  readonly target: Address
  /** The processes that may connect. */
  readonly pids: () => ReadonlyArray<number>
  /** Whether nothing may pass between this process and the target. */
  readonly isCut: (pid: number) => boolean
}): Effect.Effect<TcpProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const pairs = new Set<Pair>()
    const cut = (pid: number | undefined) => pid !== undefined && options.isCut(pid)
    const apply = ({ from, pid, to }: Pair) => {
      if (cut(pid)) {
        from.unpipe(to)
        to.unpipe(from)
        from.pause()
        to.pause()
      } else {
        from.pipe(to)
        to.pipe(from)
      }
    }
    yield* serve(options.listen, (from) => {
      const pid = processOf(from.remotePort ?? 0, options.pids())
      const to = connect({ ...options.target, noDelay: true })
      const pair: Pair = { from, to, pid }
      pairs.add(pair)
      const over = () => {
        pairs.delete(pair)
        from.destroy()
        to.destroy()
      }
      for (const socket of [from, to]) socket.on("error", over).on("close", over)
      apply(pair)
    })
    return {
      update: () => {
        for (const pair of pairs) {
          pair.from.unpipe(pair.to)
          pair.to.unpipe(pair.from)
          apply(pair)
        }
      }
    }
  })
