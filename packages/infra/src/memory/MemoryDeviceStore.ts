import { createHash } from "node:crypto"
import { maxDevices } from "@beckon/domain/Device"
import type { Device } from "@beckon/domain/Device"
import * as Keys from "@beckon/domain/MailboxKey"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { Effect, Layer } from "effect"

interface Registration {
  readonly tenantId: string
  readonly owner: string
  readonly device: Device
}

const hashOf = (tenantId: string, token: string): string =>
  createHash("sha256").update(`${tenantId}\u0000${token}`).digest("hex")

const make = Effect.sync(() => {
  /** The oldest registration first. */
  let registrations: ReadonlyArray<Registration> = []
  const devicesOf = (key: MailboxKey): ReadonlyArray<Device> => {
    const owner = Keys.toString(key)
    return registrations
      .filter((other) => other.owner === owner)
      .map((other) => other.device)
      .toReversed()
  }

  return DeviceStore.of({
    register: (key, { platform, token }) =>
      Effect.sync(() => {
        const owner = Keys.toString(key)
        const others = registrations.filter((other) => other.tenantId !== key.tenantId || other.device.token !== token)
        const leaving = new Set(others.filter((other) => other.owner === owner).slice(0, -(maxDevices - 1)))
        registrations = [
          ...others.filter((other) => !leaving.has(other)),
          { tenantId: key.tenantId, owner, device: { platform, token } }
        ]
      }),

    unregister: (key, token) =>
      Effect.sync(() => {
        const owner = Keys.toString(key)
        const left = registrations.filter((other) => other.owner !== owner || other.device.token !== token)
        const had = left.length < registrations.length
        registrations = left
        return had
      }),

    removeDead: (tenantId, tokens) =>
      Effect.sync(() => {
        const dead = new Set(tokens)
        const left = registrations.filter((other) => other.tenantId !== tenantId || !dead.has(other.device.token))
        const removed = registrations.length - left.length
        registrations = left
        return removed
      }),

    listAll: (keys) =>
      Effect.sync(() =>
        keys.map((key) => ({
          key,
          devices: devicesOf(key).map((device) => ({ ...device, hash: hashOf(key.tenantId, device.token) })),
          missingKey: undefined
        }))
      ),

    list: (key) => Effect.sync(() => devicesOf(key))
  })
})

/** Devices in memory. */
export const layer: Layer.Layer<DeviceStore> = Layer.effect(DeviceStore, make)
