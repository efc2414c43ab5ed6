// What Redis does in one step: puts entries that are newer, keeps the alerts that are open, and appends what
// was applied to the feed, all under one number. A store that lost what it had is noticed here as well.

import { defineScript } from 'redis'
import { MAX_KEYS_PER_VIEW, MAX_OPEN_ALERTS, MAX_RESOLVED_ALERTS } from './view-state.ts'

/** Operations of one call. Lua takes no more than some thousands of values at once. */
export const MAX_OPERATIONS = 200
/** Records of the feed that Redis keeps, one a call; a reader that is further behind reads everything anew. */
export const MAX_FEED_RECORDS = 2_000

/** Keys under one hash tag, so that they lie together. */
export interface RedisKeys {
  readonly generation: string
  readonly sequence: string
  readonly feed: string
  /** Names of the hashes that hold the views. */
  readonly views: string
  readonly alerts: string
  readonly open: string
  readonly resolved: string
}

export function redisKeys(installation: string): RedisKeys {
  const key = (name: string): string => `outrider:{${installation}}:${name}`
  return {
    generation: key('generation'),
    sequence: key('sequence'),
    feed: key('feed'),
    views: key('views'),
    alerts: key('alerts'),
    open: key('alerts:open'),
    resolved: key('alerts:resolved'),
  }
}

/** One hash a tenant and view. */
export function viewKey(keys: RedisKeys, tenantId: string, view: string): string {
  return `${keys.views}:${encodeURIComponent(tenantId)}:${encodeURIComponent(view)}`
}

/** Field in a record of the feed that names the generation; the others are numbered. */
export const GENERATION_FIELD = 'g'

/**
 * A generation is what was put since the store was last empty. It ends where the key is gone, or where the
 * numbering fell back, as after a failover that lost writes; numbers of the next one begin above the time of
 * day, so that they never fall.
 */
const SCRIPT = `
local generation = redis.call('GET', KEYS[1])
local sequence = tonumber(redis.call('GET', KEYS[2]) or '0')
local known = tonumber(ARGV[2])
if not generation or sequence < known then
  local time = redis.call('TIME')
  generation = ARGV[1]
  sequence = math.max(sequence, known, tonumber(time[1]) * 1000000 + tonumber(time[2])) + 1
  redis.call('SET', KEYS[1], generation)
  redis.call('SET', KEYS[2], string.format('%.0f', sequence))
end
local applied = {}
local refused = 0
local at = 3
while at <= #ARGV do
  local kind = ARGV[at]
  if kind == 'E' then
    local hash, field, offset, clock, payload = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
    at = at + 6
    local present = redis.call('HGET', hash, field)
    local newer = true
    if present then
      local presentOffset, presentClock = string.match(present, '^(%d+) (%d+)')
      presentOffset, presentClock = tonumber(presentOffset), tonumber(presentClock)
      newer = tonumber(offset) > presentOffset or (tonumber(offset) == presentOffset and tonumber(clock) > presentClock)
    elseif redis.call('HLEN', hash) >= ${MAX_KEYS_PER_VIEW} then
      newer = false
      refused = refused + 1
    end
    if newer then
      redis.call('HSET', hash, field, offset .. ' ' .. clock .. '\\n' .. payload)
      if not present then redis.call('SADD', KEYS[4], hash) end
      applied[#applied + 1] = payload
    end
  elseif kind == 'A' then
    local id, revision, isOpen, payload = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3] == '1', ARGV[at + 4]
    at = at + 5
    local present = redis.call('HGET', KEYS[5], id)
    if not present or tonumber(string.match(present, '^%d+')) < tonumber(revision) then
      local into, from, limit = KEYS[7], KEYS[6], ${MAX_RESOLVED_ALERTS}
      if isOpen then into, from, limit = KEYS[6], KEYS[7], ${MAX_OPEN_ALERTS} end
      redis.call('HSET', KEYS[5], id, revision .. '\\n' .. (isOpen and payload or ''))
      redis.call('ZREM', from, id)
      redis.call('ZADD', into, sequence, id)
      if redis.call('ZCARD', into) > limit then
        redis.call('HDEL', KEYS[5], redis.call('ZPOPMIN', into)[1])
      end
      applied[#applied + 1] = payload
    end
  else
    applied[#applied + 1] = ARGV[at + 1]
    at = at + 2
  end
end
if #applied > 0 then
  sequence = sequence + 1
  local id = string.format('%.0f', sequence)
  redis.call('SET', KEYS[2], id)
  local record = { '${GENERATION_FIELD}', generation }
  for index, payload in ipairs(applied) do
    record[#record + 1] = tostring(index)
    record[#record + 1] = payload
  end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ${MAX_FEED_RECORDS}, id .. '-0', unpack(record))
end
return { generation, string.format('%.0f', sequence), tostring(refused) }
`

export interface Applied {
  readonly generation: string
  readonly sequence: number
  /** Entries of new keys for which a view had no room. */
  readonly refused: number
}

export const applyScript = defineScript({
  SCRIPT,
  NUMBER_OF_KEYS: 7,
  parseCommand(parser, keys: RedisKeys, operations: readonly string[]) {
    parser.pushKeys([
      keys.generation,
      keys.sequence,
      keys.feed,
      keys.views,
      keys.alerts,
      keys.open,
      keys.resolved,
    ])
    for (const argument of operations) parser.push(argument)
  },
  transformReply(reply: unknown): Applied {
    const [generation, sequence, refused] = Array.isArray(reply) ? reply : []
    return {
      generation: String(generation),
      sequence: Number(sequence),
      refused: Number(refused),
    }
  },
})
