import * as InProcessEventBus from "@beckon/infra/memory/InProcessEventBus"
import { layer } from "@effect/vitest"
import { eventBusContract, inProcessEventBusContract } from "./EventBus.contract.ts"

layer(InProcessEventBus.layer)("EventBus in the process", (it) => {
  eventBusContract(it)
  inProcessEventBusContract(it)
})
