/**
 * The ids that Beckon passes around: opaque strings, compared byte for byte.
 */
import { Schema, SchemaGetter } from "effect"
import { identifierOf } from "./Text.ts"

/** A company that uses the deployment; 1 to 64 characters. */
export const TenantId = identifierOf(64).pipe(Schema.brand("TenantId"))
export type TenantId = typeof TenantId.Type

/** A user within a tenant, as the tenant names him; 1 to 128 characters. */
export const UserId = identifierOf(128).pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** A notification, unique in a deployment; a UUIDv7 when Beckon makes it. */
export const NotificationId = identifierOf(64).pipe(Schema.brand("NotificationId"))
export type NotificationId = typeof NotificationId.Type

/** The part of one node that holds sockets; new at every start. */
export const GatewayId = identifierOf(64).pipe(Schema.brand("GatewayId"))
export type GatewayId = typeof GatewayId.Type

/** One live connection of one user; unique within its gateway. */
export const SessionId = identifierOf(64).pipe(Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type

/** An id that its source writes as an integer or as a string (R0); always a string inside. */
export const SourceId = Schema.Union([
  identifierOf(128),
  Schema.Int.check(Schema.isBetween({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }))
]).pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transform((value) => String(value)),
    encode: SchemaGetter.transform((value: string) => value)
  })
)
