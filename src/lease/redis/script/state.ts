/**
 * First part of the script: what every request begins with. `KEYS[1]` is the key of the server's state, all others are made
 * from it. `ARGV` begins with the kind of request, the digest of the configuration, `ttlMs`, `guardMs` (both whole), and a text
 * that was never used before, to name a guard with.
 *
 * Numbers become texts by `whole`: Lua's own `tostring` would round a token of 16 digits.
 */
export const STATE = `
local stateKey = KEYS[1]
local prefix = string.sub(stateKey, 1, -6) -- without "state"
local kind, digest, ttl, guardMs, nonce = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local function whole(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stored = redis.call('HMGET', stateKey, 'digest', 'run', 'guard', 'from', 'needsFloor', 'seen', 'floor', 'max',
  'replication')
local guard, from, needsFloor = stored[3], tonumber(stored[4]) or 0, stored[5] ~= '0'
local seen, floor, max = tonumber(stored[6]) or 0, tonumber(stored[7]) or 0, tonumber(stored[8]) or 0
local empty = not stored[1]

-- Before anything is written: the times of somebody with another configuration mean nothing here.
if not empty and stored[1] ~= digest then
  return { 'misconfigured', redis.call('HGET', stateKey, 'configuration') }
end

local replication = redis.call('INFO', 'replication')
if string.find(replication, 'role:slave', 1, true) then return redis.error_reply('READONLY it is a replica') end

-- Which run of which server this is. The identity of the process alone would miss one that was a replica for a while, and came
-- back with the data of another, which may have missed the last writes: a replica that becomes a primary gets a second
-- replication id. The first one is never the same in two runs, or before and after such a change. So as long as it is, there is
-- nothing to look at; but it changes for less too, such as when a primary gets its first replica. (INFO server takes 10 us.)
local replicationId = string.match(replication, 'master_replid:(%w+)') or ''
local run = stored[2]
if replicationId == '' or stored[9] ~= replicationId then
  run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  if not run then return redis.error_reply('ERR rollcall: INFO server tells no run_id') end
  run = run .. '/' .. (string.match(replication, 'master_replid2:(%w+)') or '')
end

if stored[2] ~= run or now < seen or now - seen > ttl / 2 then
  if stored[2] ~= run then needsFloor = true end
  guard, from = run .. '/' .. nonce, now
  redis.call('HSET', stateKey, 'run', run, 'guard', guard, 'from', whole(from), 'needsFloor', needsFloor and '1' or '0')
end
redis.call('HSET', stateKey, 'seen', whole(now), 'replication', replicationId)
seen = now

local function guarded()
  -- From its beginning, not to an end that was stored: as long as there is no configuration, whoever asks may have another one,
  -- and whoever waits longest is right.
  local wait = math.max(0, from + guardMs - now)
  if wait == 0 and not needsFloor then return nil end
  -- Both ends of the uptime are cut to seconds, so it may be a second less.
  local uptime = string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
  -- Empty for as long as it runs, or emptied a moment ago.
  if string.find(redis.call('INFO', 'commandstats'), 'cmdstat_flush', 1, true) then uptime = nil end
  return { 'guarded', guard, wait, needsFloor and 1 or 0, empty and 1 or 0,
    math.max(0, (tonumber(uptime) or 0) - 1) * 1000, math.max(0, now - from) }
end

-- Floor and highest token are stored as soon as they change: should the script fail half-way, no token is forgotten.
local function raiseFloor(token)
  if token > floor then
    floor = token
    redis.call('HSET', stateKey, 'floor', whole(floor))
  end
end

local function raiseMax(token)
  if token > max then
    max = token
    redis.call('HSET', stateKey, 'max', whole(max))
  end
end
`;
