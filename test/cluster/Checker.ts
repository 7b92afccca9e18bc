/**
 * Knows every accepted event and every frame that each client saw, and says whether they agree with what is saved.
 *
 * **Details**
 *
 * accepted = saved = seen: each event that was answered is one row with the answered `seq` and `id`, there are no other rows,
 * each user's `seq` are 1, 2, 3, …, and each of his devices saw exactly these, in this order. An event that was sent after
 * another one of the same user was answered has the higher `seq`.
 *
 * A stall is the longest time that one user waited between two answers (of all his senders), or one device between two
 * frames, with steady traffic to each of them.
 */
import { Deferred, Effect } from "effect"

export interface Sent {
  readonly user: string
  readonly sentAt: number
  answeredAt?: number
  seq?: number
  id?: string
}

export interface Device {
  readonly user: string
  readonly name: string
  /** What the client handed out. */
  readonly seqs: Array<number>
  readonly ids: Array<string>
  readonly at: Array<number>
  /** What came over each of its sockets. */
  readonly wire: Array<Array<number>>
  /** `recovered` of each subscription but the first. */
  readonly recovered: Array<boolean>
}

export interface Row {
  readonly user_id: string
  readonly seq: number
  readonly id: string
  readonly dedupe_key: string | null
}

export interface Figures {
  readonly accepted: number
  readonly saved: number
  readonly seen: number
  readonly lost: number
  readonly repeated: number
  readonly outOfOrder: number
  readonly notRecovered: number
  readonly answerStall: Stall
  readonly frameStall: Stall
  /** Examples of what is wrong. */
  readonly faults: ReadonlyArray<string>
}

/** Milliseconds. */
export interface Stall {
  readonly median: number
  readonly worst: number
}

const stallOf = (times: Iterable<ReadonlyArray<number>>): Stall => {
  const longest = Array.from(times, (at) => {
    const sorted = at.toSorted((a, b) => a - b)
    return Math.max(0, ...sorted.slice(1).map((time, index) => time - (sorted[index] ?? time)))
  }).toSorted((a, b) => a - b)
  return {
    median: Math.round(longest[Math.floor(longest.length / 2)] ?? 0),
    worst: Math.round(longest.at(-1) ?? 0)
  }
}

const group = <A>(items: Iterable<A>, keyOf: (item: A) => string): Map<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const known = groups.get(keyOf(item))
    if (known === undefined) groups.set(keyOf(item), [item])
    else known.push(item)
  }
  return groups
}

export const make = () => {
  /** By dedupe key. */
  const sent = new Map<string, Sent>()
  const devices: Array<Device> = []
  const waiting: Array<{ readonly device: Device; readonly seq: number; readonly done: Deferred.Deferred<void> }> = []

  const saw = (device: Device, seq: number, id: string, at: number) => {
    device.seqs.push(seq)
    device.ids.push(id)
    device.at.push(at)
    for (const one of waiting) if (one.device === device && seq >= one.seq) Deferred.doneUnsafe(one.done, Effect.void)
  }

  const device = (user: string, name: string): Device => {
    const made: Device = { user, name, seqs: [], ids: [], at: [], wire: [], recovered: [] }
    devices.push(made)
    return made
  }

  const lastSeqOf = (user: string) =>
    Math.max(0, ...Array.from(sent.values(), (one) => (one.user === user ? (one.seq ?? 0) : 0)))

  /** Waits until each device saw the newest notification of its user. */
  const seenAll = Effect.suspend(() =>
    Effect.forEach(
      devices,
      (one) => {
        const seq = lastSeqOf(one.user)
        if (seq === 0 || one.seqs.some((seen) => seen >= seq)) return Effect.void
        const done = Deferred.makeUnsafe<void>()
        waiting.push({ device: one, seq, done })
        return Deferred.await(done)
      },
      { concurrency: "unbounded", discard: true }
    )
  )

  /** For events whose answer does not tell what they became. Gives how many are not saved. */
  const learn = (rows: ReadonlyArray<Row>): number => {
    const byKey = new Map(rows.map((row) => [row.dedupe_key, row]))
    let missing = 0
    for (const [key, one] of sent) {
      const row = byKey.get(key)
      if (row === undefined) missing += 1
      else if (one.seq === undefined) Object.assign(one, { seq: row.seq, id: row.id })
    }
    return missing
  }

  const verdict = (rows: ReadonlyArray<Row>): Figures => {
    const faults: Array<string> = []
    const wrong = (count: number, what: string) => {
      if (count !== 0 && faults.length < 20) faults.push(what)
      return count
    }
    let lost = 0
    let repeated = 0
    let outOfOrder = 0

    const rowsByKey = group(rows, (row) => row.dedupe_key ?? "")
    for (const [key, one] of sent) {
      const saved = rowsByKey.get(key) ?? []
      lost += wrong(
        saved.length === 0 ? 1 : 0,
        `${key} of ${one.user} was answered with seq ${one.seq} and is not saved`
      )
      repeated += wrong(Math.max(0, saved.length - 1), `${key} of ${one.user} is saved ${saved.length} times`)
      const [row] = saved
      if (row !== undefined && (row.seq !== one.seq || row.id !== one.id)) {
        lost += wrong(1, `${key} of ${one.user} was answered with seq ${one.seq} and is saved as ${row.seq}`)
      }
    }
    for (const [user, list] of group(sent.values(), ({ user }) => user)) {
      const bySent = list.toSorted((a, b) => a.sentAt - b.sentAt)
      const byAnswer = list.toSorted((a, b) => (a.answeredAt ?? 0) - (b.answeredAt ?? 0))
      let next = 0
      let highest = 0
      for (const one of bySent) {
        for (; (byAnswer[next]?.answeredAt ?? Infinity) < one.sentAt; next++) {
          highest = Math.max(highest, byAnswer[next]?.seq ?? 0)
        }
        if (one.seq !== undefined && one.seq <= highest) {
          outOfOrder += wrong(1, `${user}: seq ${one.seq} was sent after ${highest} had been answered`)
        }
      }
    }
    const byUser = group(rows, (row) => row.user_id)
    for (const [user, saved] of byUser) {
      const seqs = saved.map(({ seq }) => seq).toSorted((a, b) => a - b)
      if (seqs.some((seq, index) => seq !== index + 1)) lost += wrong(1, `${user}: saved seqs are not dense`)
    }
    for (const one of devices) {
      const saved = new Map((byUser.get(one.user) ?? []).map(({ id, seq }) => [seq, id]))
      const seen = new Set(one.seqs)
      const missing = [...saved.keys()].filter((seq) => !seen.has(seq))
      lost += wrong(missing.length, `${one.name} never saw ${missing.slice(0, 5).join()} of ${saved.size}`)
      repeated += wrong(one.seqs.length - seen.size, `${one.name} saw ${one.seqs.length - seen.size} twice`)
      for (const [index, seq] of one.seqs.entries()) {
        const before = one.seqs[index - 1]
        if (before !== undefined && seq < before) outOfOrder += wrong(1, `${one.name} saw ${seq} after ${before}`)
        if (saved.get(seq) !== one.ids[index]) lost += wrong(1, `${one.name} saw another ${seq} than the saved one`)
      }
      for (const socket of one.wire) {
        for (const [index, seq] of socket.entries()) {
          const before = socket[index - 1]
          if (before === undefined || seq === before + 1) continue
          if (seq <= before) repeated += wrong(1, `${one.name}: ${seq} came after ${before} over one socket`)
          else lost += wrong(1, `${one.name}: ${seq} came after ${before} over one socket`)
        }
      }
    }
    const notRecovered = devices.reduce((sum, one) => sum + one.recovered.filter((recovered) => !recovered).length, 0)
    return {
      accepted: sent.size,
      saved: rows.length,
      seen: new Set(devices.flatMap((one) => one.ids)).size,
      lost,
      repeated,
      outOfOrder,
      notRecovered,
      answerStall: stallOf(
        Array.from(group(sent.values(), ({ user }) => user).values(), (list) => list.map((one) => one.answeredAt ?? 0))
      ),
      frameStall: stallOf(devices.map((one) => one.at)),
      faults
    }
  }

  return { sent, devices, device, saw, learn, seenAll, verdict }
}

export type Checker = ReturnType<typeof make>
