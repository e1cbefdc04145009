import { RESERVATION_MS, WAITERS_PER_NAME } from "../../limits.ts";

/** Waiters of ended sessions that one request takes out of queues, at most. What is left is taken out by the next ones. */
const DEAD_WAITERS_PER_REQUEST = 512;

/** Votes and places of ended sessions that one request clears away, at most: it makes that request some 0.2 ms slower. */
const CLEARED_PER_REQUEST = 64;

/**
 * Third part: queues, and clearing away what ended sessions have left.
 *
 * - `queue:<name>`: a sorted set of waiters by ticket. A waiter is its session, a zero byte, and its claim in 16 digits: among
 *   equal tickets Redis orders by that text, so by session and then claim.
 * - `turn:<name>`: a hash of the waiter for whom the name is kept, and until when.
 *
 * Waiters that have died are taken out when they are first in line, or when what their session left is cleared away. So
 * `ahead` may count some that died a moment ago; it only says when to look again.
 */
export const QUEUES = String.raw`
local deadWaiters = ${DEAD_WAITERS_PER_REQUEST}

local function waiterOf(session, claim)
  return session .. '\0' .. string.rep('0', 16 - #claim) .. claim
end

local function sessionOf(waiter)
  return string.sub(waiter, 1, -18)
end

local function placed(waiter, name)
  return 'q' .. string.sub(waiter, -16) .. name
end

local function leave(name, waiter)
  if redis.call('ZREM', prefix .. 'queue:' .. name, waiter) == 0 then return end
  redis.call('SREM', prefix .. 'names:' .. sessionOf(waiter), placed(waiter, name))
  if redis.call('HGET', prefix .. 'turn:' .. name, 'waiter') == waiter then
    redis.call('DEL', prefix .. 'turn:' .. name)
  end
end

local function first(name)
  while true do
    local waiter = redis.call('ZRANGE', prefix .. 'queue:' .. name, 0, 0)[1]
    if not waiter or deadWaiters == 0 or isAlive(sessionOf(waiter)) then return waiter end
    deadWaiters = deadWaiters - 1
    leave(name, waiter)
  end
end

local function enter(name, session, claim, ticket)
  local queue, waiter = prefix .. 'queue:' .. name, waiterOf(session, claim)
  first(name)
  local known = redis.call('ZSCORE', queue, waiter)
  if known then
    if ticket > tonumber(known) then redis.call('ZADD', queue, whole(ticket), waiter) end
    return
  end
  if redis.call('ZCARD', queue) >= ${WAITERS_PER_NAME} then return end
  if ticket == 0 then
    local last = redis.call('ZREVRANGE', queue, 0, 0, 'WITHSCORES')[2]
    ticket = (tonumber(last) or 0) + 1
  end
  redis.call('ZADD', queue, whole(ticket), waiter)
  redis.call('SADD', prefix .. 'names:' .. session, placed(waiter, name))
end

-- Its ticket, 0 if it has none; and how many are before it, all if it has none.
local function placeOf(name, waiter)
  local queue = prefix .. 'queue:' .. name
  local waiting = redis.call('ZCARD', queue)
  local ticket = waiting > 0 and redis.call('ZSCORE', queue, waiter)
  if not ticket then return 0, waiting end
  return tonumber(ticket), redis.call('ZRANK', queue, waiter)
end

-- For whom the name, which is free, is kept; and for how much longer.
local function turnOf(name)
  local turn = prefix .. 'turn:' .. name
  while true do
    local waiter = first(name)
    if not waiter then return nil end
    local kept = redis.call('HMGET', turn, 'waiter', 'until')
    local ends = tonumber(kept[2])
    if kept[1] ~= waiter then
      ends = now + ${RESERVATION_MS}
      redis.call('HSET', turn, 'waiter', waiter, 'until', whole(ends))
    end
    -- At most as long as it ever is, should the clock have been set back.
    local left = math.min(ends - now, ${RESERVATION_MS})
    if left > 0 then return waiter, left end
    -- Whoever has not come has died, as a rule, and with it those of the same session that are next in line.
    local session = sessionOf(waiter)
    repeat
      leave(name, waiter)
      deadWaiters = math.max(deadWaiters - 1, 0)
      waiter = first(name)
    until not waiter or deadWaiters == 0 or sessionOf(waiter) ~= session
  end
end

-- Anything that hangs on a session that has ended goes, a bounded lot at each request.
local function clearAway()
  local session = redis.call('ZRANGEBYSCORE', prefix .. 'sessions', '-inf', whole(now), 'LIMIT', 0, 1)[1]
  if not session then return end
  if isAlive(session) then
    -- The clock of the set is not the one that counts.
    redis.call('ZADD', prefix .. 'sessions', whole(now + leftMs(session)), session)
    return
  end
  local hanging = redis.call('SPOP', prefix .. 'names:' .. session, ${CLEARED_PER_REQUEST})
  for _, each in ipairs(hanging) do
    if string.sub(each, 1, 1) == 'v' then
      local name = string.sub(each, 2)
      local vote = voteOf(name)
      if vote and vote.session == session then deleteVote(name, vote) end
    else
      leave(string.sub(each, 18), session .. '\0' .. string.sub(each, 2, 17))
    end
  end
  if #hanging < ${CLEARED_PER_REQUEST} then redis.call('ZREM', prefix .. 'sessions', session) end
end
`;
