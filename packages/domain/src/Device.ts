/**
 * Devices that can be reached by push, and what a user wishes to get.
 */
import { Schema } from "effect"
import { nonEmptyTextOf } from "./Text.ts"

export const Platform = Schema.Literals(["ios", "android", "web"])
export type Platform = typeof Platform.Type

/** The token that the push service gave the app; at most 4,096 characters. */
export const DeviceToken = nonEmptyTextOf(4_096)

export const Device = Schema.Struct({ platform: Platform, token: DeviceToken })
export type Device = typeof Device.Type

/** How many devices one user may register; the oldest leaves for a new one. */
export const maxDevices = 20
