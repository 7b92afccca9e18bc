import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import * as Runner from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import { TestClock } from "effect/testing"

let addresses = 0
const freshRunner = () =>
  Runner.make({
    address: RunnerAddress.make(`host-${++addresses}`, 34_431),
    groups: ["default"],
    weight: 1
  })
let groups = 0
/** Shards that no other test touches. */
const freshShards = (count = 3) => {
  const group = `group-${++groups}`
  return Array.from({ length: count }, (_, index) => ShardId.make(group, index + 1))
}

const names = (shards: ReadonlyArray<ShardId.ShardId>) => shards.map(String).toSorted()
const byAddress = (runners: ReadonlyArray<readonly [Runner.Runner, boolean]>) =>
  new Map(runners.map(([runner, healthy]) => [String(runner.address), { runner, healthy }]))

/** Real time: leases run out by the clock of the storage. */
const eventually = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  TestClock.withLive(Effect.repeat(condition, { until: (met) => met, schedule: Schedule.spaced("20 millis") }))

/** What every runner storage does, also one for a single node. */
export const runnerStorageContract = (it: Vitest.MethodsNonLive<RunnerStorage>) => {
  it.effect("a registered runner is listed as it is, with its health, until it unregisters", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const [one, two] = [freshRunner(), freshRunner()]
      yield* storage.register(one, true)
      yield* storage.register(two, false)
      const listed = byAddress(yield* storage.getRunners)
      expect(listed.get(String(one.address))).toEqual({ runner: one, healthy: true })
      expect(listed.get(String(two.address))?.healthy).toBe(false)
      yield* storage.setRunnerHealth(two.address, true)
      yield* storage.setRunnerHealth(freshRunner().address, true)
      const later = byAddress(yield* storage.getRunners)
      expect(later.get(String(two.address))?.healthy).toBe(true)
      expect(later.size).toBe(listed.size)
      yield* storage.unregister(one.address)
      const last = byAddress(yield* storage.getRunners)
      expect(last.has(String(one.address))).toBe(false)
      expect(last.has(String(two.address))).toBe(true)
    })
  )

  it.effect("two runners get two machine ids", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      expect(yield* storage.register(freshRunner(), true)).not.toBe(yield* storage.register(freshRunner(), true))
    })
  )

  it.effect("a runner gets the shards that nobody holds, and refreshing confirms them", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const { address } = freshRunner()
      const shards = freshShards()
      expect(names(yield* storage.acquire(address, shards))).toEqual(names(shards))
      expect(names(yield* storage.refresh(address, shards))).toEqual(names(shards))
      yield* storage.releaseAll(address)
    })
  )
}

/** What holds where several nodes share the storage, whose leases are short enough to wait for. */
export const sharedRunnerStorageContract = (it: Vitest.MethodsNonLive<RunnerStorage>) => {
  it.effect("a machine id stays with its address, also over a time away", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const runner = freshRunner()
      const id = yield* storage.register(runner, true)
      yield* storage.register(freshRunner(), true)
      yield* storage.unregister(runner.address)
      expect(yield* storage.register(runner, true)).toBe(id)
      expect(id).toBeGreaterThanOrEqual(0)
      expect(id).toBeLessThan(1_024)
    })
  )

  it.effect("two owners never hold the same shard, whoever asks and however often", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const owners = Array.from({ length: 8 }, () => freshRunner().address)
      const shards = freshShards(64)
      const held = yield* Effect.forEach(owners, (address) => storage.acquire(address, shards), {
        concurrency: "unbounded"
      })
      expect(names(held.flat())).toEqual(names(shards))
      const again = yield* Effect.forEach(owners, (address) => storage.acquire(address, shards), {
        concurrency: "unbounded"
      })
      expect(again.map(names)).toEqual(held.map(names))
      const confirmed = yield* Effect.forEach(owners, (address) => storage.refresh(address, shards), {
        concurrency: "unbounded"
      })
      expect(confirmed.map(names)).toEqual(held.map(names))
    })
  )

  it.effect("a runner releases its own shards only", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const [owner, other] = [freshRunner().address, freshRunner().address]
      const shards = freshShards()
      const [first, ...rest] = shards
      if (first === undefined) return expect.unreachable()
      yield* storage.acquire(owner, shards)
      yield* storage.release(other, first)
      yield* storage.releaseAll(other)
      expect(yield* storage.acquire(other, shards)).toEqual([])
      yield* storage.release(owner, first)
      expect(names(yield* storage.acquire(other, shards))).toEqual(names([first]))
      yield* storage.releaseAll(owner)
      expect(names(yield* storage.acquire(other, shards))).toEqual(names(shards))
      expect(names(yield* storage.refresh(owner, rest))).toEqual([])
    })
  )

  it.effect("a lease runs out and another takes it; the old owner can neither refresh nor release it", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const [old, next] = [freshRunner().address, freshRunner().address]
      const shards = freshShards()
      yield* storage.acquire(old, shards)
      const taken: Array<ShardId.ShardId> = []
      yield* eventually(
        Effect.map(storage.acquire(next, shards), (held) => {
          taken.push(...held)
          return held.length === shards.length
        })
      )
      expect(yield* storage.refresh(old, shards)).toEqual([])
      yield* storage.releaseAll(old)
      expect(names(yield* storage.refresh(next, shards))).toEqual(names(shards))
    })
  )

  it.effect("a lease that ran out is not created anew by a refresh, even when nobody took it", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const { address } = freshRunner()
      const shards = freshShards()
      yield* storage.acquire(address, shards)
      // A second shard set with the same lease tells when the first has run out.
      const [watch] = freshShards(1)
      if (watch === undefined) return expect.unreachable()
      yield* storage.acquire(address, [watch])
      yield* eventually(Effect.map(storage.acquire(freshRunner().address, [watch]), (held) => held.length === 1))
      expect(yield* storage.refresh(address, shards)).toEqual([])
      expect(yield* storage.refresh(address, freshShards())).toEqual([])
    })
  )

  it.effect("refreshing keeps a lease for longer than its length", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const [owner, other] = [freshRunner().address, freshRunner().address]
      const shards = freshShards()
      yield* storage.acquire(owner, shards)
      // Both begin now; the one that nobody refreshes shows that the length of a lease has gone by.
      const [watch] = freshShards(1)
      if (watch === undefined) return expect.unreachable()
      yield* storage.acquire(owner, [watch])
      yield* eventually(
        Effect.gen(function* () {
          expect(names(yield* storage.refresh(owner, shards))).toEqual(names(shards))
          expect(yield* storage.acquire(other, shards)).toEqual([])
          return (yield* storage.acquire(other, [watch])).length === 1
        })
      )
    })
  )

  it.effect("a runner that is not heard of is not listed; each refresh is a heartbeat, also without a shard", () =>
    Effect.gen(function* () {
      const storage = yield* RunnerStorage
      const [alive, silent] = [freshRunner(), freshRunner()]
      yield* storage.register(alive, true)
      yield* storage.register(silent, true)
      yield* eventually(
        Effect.gen(function* () {
          yield* storage.refresh(alive.address, [])
          const listed = byAddress(yield* storage.getRunners)
          expect(listed.has(String(alive.address))).toBe(true)
          return !listed.has(String(silent.address))
        })
      )
      // A heartbeat does not register anyone.
      const stranger = freshRunner()
      yield* storage.refresh(stranger.address, [])
      expect(byAddress(yield* storage.getRunners).has(String(stranger.address))).toBe(false)
      // One that was only silent is back with its next heartbeat.
      yield* storage.refresh(silent.address, [])
      expect(byAddress(yield* storage.getRunners).has(String(silent.address))).toBe(true)
    })
  )
}
