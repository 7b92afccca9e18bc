/**
 * Marks an endpoint that reads its body as it comes, because it may be larger than memory.
 *
 * **Details**
 *
 * What stands before the handler then leaves the body alone: it only looks whether it is of one of these types. Which calls under
 * an `Idempotency-Key` are the same one is the handler's own to know.
 */
import { Context } from "effect"

/** Types of bodies that the endpoint takes, in lower case and without parameters. */
export class StreamedBody extends Context.Service<StreamedBody, ReadonlyArray<string>>()(
  "@beckon/domain/api/StreamedBody"
) {}
