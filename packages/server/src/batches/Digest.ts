/**
 * What tells whether a call is the same one again.
 */
import { Schema } from "effect"
import { createHash } from "node:crypto"
import { Opening, Recipients } from "@beckon/domain/api/BatchRequest"
import type { Recipient } from "@beckon/domain/Batch"

const encodeOpening = Schema.encodeSync(Schema.fromJsonString(Opening))
const encodeRows = Schema.encodeSync(Schema.fromJsonString(Recipients))

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

export const ofOpening = (kind: string, opening: Opening): string => sha256(`${kind}\n${encodeOpening(opening)}`)

export const ofRows = (recipients: ReadonlyArray<Recipient>): string => sha256(encodeRows(recipients))
