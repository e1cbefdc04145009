import { MAX_TOKEN } from "../../limits.ts";

/**
 * Last part: the requests. From `ARGV[6]` on: `recover` takes guard, floor, whether it is the first, and the configuration in
 * full; those of a session take it and the connection, then 5, 4 or 3 arguments for each item; `read` takes names.
 */
export const REQUESTS = `
local function recover()
  local isOver = now >= from + guardMs or (ARGV[8] == '1' and empty)
  if needsFloor and guard == ARGV[6] and isOver then
    raiseFloor(tonumber(ARGV[7]))
    raiseMax(floor)
    needsFloor, from, empty = false, 0, false
    redis.call('HSET', stateKey, 'needsFloor', '0', 'from', '0', 'digest', digest, 'configuration', ARGV[9])
  end
  return guarded() or { 'ready', whole(max) }
end

local function acquire(session, name, claim, proposal, value, ticket)
  local vote, waiter = voteOf(name), waiterOf(session, claim)
  local isLive = vote and isAlive(vote.session)
  local isOwn = isLive and vote.session == session and vote.claim == claim
  if ticket ~= '' and not isOwn then enter(name, session, claim, tonumber(ticket)) end
  local number, ahead = placeOf(name, waiter)
  if isLive and not isOwn then
    return { 'held', vote.session, vote.claim, whole(vote.token), valueOf(name), leftMs(vote.session), whole(number), ahead }
  end
  -- Who comes when it is first in line is served, even if it has let its reservation run out.
  if not isOwn and ahead > 0 then
    local turn, left = turnOf(name)
    if turn and turn ~= waiter then
      number, ahead = placeOf(name, waiter)
      return { 'reserved', left, whole(number), ahead, sessionOf(turn) }
    end
  end
  local token = math.max(proposal, boundOf(vote) + 1)
  if token > ${MAX_TOKEN} then return { 'exhausted' } end
  setVote(name, vote, session, claim, token, value)
  return { 'granted', whole(token) }
end

local function confirm(session, name, claim, token)
  local vote = voteOf(name)
  if not vote or vote.session ~= session or vote.claim ~= claim then return 0 end
  if token > vote.token then
    raiseMax(token)
    redis.call('HSET', prefix .. 'vote:' .. name, 'token', whole(token))
  end
  return 1
end

local function attach(session, name, claim, token, value)
  local vote = voteOf(name)
  if vote and isAlive(vote.session) and (vote.session ~= session or vote.claim ~= claim) then return 0 end
  setVote(name, vote, session, claim, token, value)
  return 1
end

local function release(session, name, claim, leaves)
  local vote = voteOf(name)
  if vote and vote.session == session and vote.claim == claim then
    deleteVote(name, vote)
    vote = nil
  end
  if leaves then leave(name, waiterOf(session, claim)) end
  if vote and isAlive(vote.session) then return '' end
  local turn = turnOf(name)
  return turn and sessionOf(turn) or ''
end

local function read(name)
  local vote = liveVoteOf(name)
  if not vote then return { 'none' } end
  return { 'vote', vote.session, vote.claim, whole(vote.token), valueOf(name), leftMs(vote.session) }
end

local function each(size, from, carryOut)
  local results = {}
  for at = from, #ARGV, size do
    results[#results + 1] = carryOut(at)
  end
  return results
end

local function inSession()
  local session, connection = ARGV[6], ARGV[7]
  if kind == 'open' then return keep(session, connection) end
  local key = prefix .. 'session:' .. session
  local last = redis.call('GET', key)
  if not last then return { 'noSession' } end
  if tonumber(connection) < tonumber(last) then return { 'stale' } end
  if kind == 'renew' then return keep(session, connection) end
  if kind == 'acquire' or kind == 'attach' then
    keep(session, connection)
  elseif connection ~= last then
    redis.call('SET', key, connection, 'KEEPTTL')
  end
  if kind == 'acquire' then
    return { 'acquired', each(5, 8, function(at)
      return acquire(session, ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4])
    end) }
  elseif kind == 'confirm' then
    return { 'confirmed', each(4, 8, function(at)
      return confirm(session, ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]))
    end) }
  elseif kind == 'attach' then
    return { 'confirmed', each(4, 8, function(at)
      return attach(session, ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3])
    end) }
  elseif kind == 'release' then
    return { 'released', each(3, 8, function(at)
      return release(session, ARGV[at], ARGV[at + 1], ARGV[at + 2] == '1')
    end) }
  elseif kind == 'close' then
    redis.call('DEL', key)
    redis.call('ZADD', prefix .. 'sessions', '0', session)
    leftOf[session] = -2
    return { 'closed' }
  end
  return redis.error_reply('ERR rollcall: no such request')
end

if kind == 'recover' then return recover() end
local out = guarded()
if out then return out end
local reply
if kind == 'status' then
  reply = { 'ready', whole(max) }
elseif kind == 'read' then
  reply = { 'read', each(1, 6, function(at) return read(ARGV[at]) end) }
else
  reply = inSession()
end
clearAway()
return reply
`;
