/**
 * The pages: the demo at `/`, with its script and its style.
 */
import { Layer } from "effect"

export const layer = Layer.empty
