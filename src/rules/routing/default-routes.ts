// What is in force where no file says otherwise.

import { assert } from '../../kernel/errors.ts'
import { parseRouting } from './route-file.ts'
import type { RouteTable } from './route-table.ts'

export const DEFAULT_ROUTING = `# Routing as it comes with Outrider. A routing.yaml in the data directory takes its place.
receivers:
  - name: operators
    channels: [inbox]
route:
  receiver: operators
  groupBy: [rule]
  groupWait: 30s
  groupInterval: 5m
  repeatInterval: 4h
  escalate:
    - after: 15m
      receiver: operators
  routes:
    - matchers: [severity="critical"]
      groupWait: 5s
      repeatInterval: 1h
inhibit:
  # Who is silent tells nothing else that could be acted on.
  - source: [rule=~".+-silent"]
    target: [rule!~".+-silent"]
    equal: [entityType, entityId]
`

export function defaultRoutes(): RouteTable {
  const parsed = parseRouting(DEFAULT_ROUTING)
  assert(parsed.ok, 'The routing that comes with the program is faulty.')
  return parsed.value
}
