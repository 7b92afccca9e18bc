import { maxDevices } from "@beckon/domain/Device"
import type { Device } from "@beckon/domain/Device"
import * as Keys from "@beckon/domain/MailboxKey"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { Effect, Layer } from "effect"

interface Registration {
  readonly tenantId: string
  readonly owner: string
  readonly device: Device
}

const make = Effect.sync(() => {
  /** The oldest registration first. */
  let registrations: ReadonlyArray<Registration> = []

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

    list: (key) =>
      Effect.sync(() => {
        const owner = Keys.toString(key)
        return registrations
          .filter((other) => other.owner === owner)
          .map((other) => other.device)
          .toReversed()
      })
  })
})

/** Devices in memory. */
export const layer: Layer.Layer<DeviceStore> = Layer.effect(DeviceStore, make)
