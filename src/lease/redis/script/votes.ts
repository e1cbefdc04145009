/**
 * Second part: sessions and votes.
 *
 * - `session:<id>`: the connection that it was used on last; expires with the session.
 * - `sessions`: a sorted set of all sessions by when they end, and of those that have ended, until nothing hangs on them.
 * - `names:<id>`: what hangs on a session: `v<name>` for a vote, `q<claim><name>` for a place in a queue.
 * - `vote:<name>`: a hash of session, claim, token and value. It does not expire: it is dead when its session is.
 */
export const VOTES = `
local leftOf = {}
-- What PTTL says of a session: -2 when it has ended. Time stands still while a script runs.
local function pttlOf(session)
  local left = leftOf[session]
  if not left then
    left = redis.call('PTTL', prefix .. 'session:' .. session)
    leftOf[session] = left
  end
  return left
end

local function leftMs(session)
  return math.max(0, pttlOf(session))
end

-- 0 is alive: 1. in its last millisecond a session is there with 0 left; 2. a rival is given its vote; 3. it is renewed in the
-- same millisecond; 4. both count on the vote.
local function isAlive(session)
  return pttlOf(session) ~= -2
end

local function keep(session, connection)
  redis.call('SET', prefix .. 'session:' .. session, connection, 'PX', whole(ttl))
  redis.call('ZADD', prefix .. 'sessions', whole(now + ttl), session)
  leftOf[session] = nil
  return { 'kept', now, whole(max) }
end

-- The vote of a name, live or not, without its value.
local function voteOf(name)
  local fields = redis.call('HMGET', prefix .. 'vote:' .. name, 'session', 'claim', 'token')
  if not fields[1] then return nil end
  return { session = fields[1], claim = fields[2], token = tonumber(fields[3]) }
end

local function liveVoteOf(name)
  local vote = voteOf(name)
  if vote and isAlive(vote.session) then return vote end
  return nil
end

local function valueOf(name)
  return redis.call('HGET', prefix .. 'vote:' .. name, 'value')
end

-- The token that the next one of this name has to be higher than.
local function boundOf(vote)
  return math.max(floor, vote and vote.token or 0)
end

-- In place of the one there is, whose token goes into the floor if it is the higher one: the bound never goes down.
local function setVote(name, former, session, claim, token, value)
  local bound = boundOf(former)
  if bound > token then raiseFloor(bound) end
  raiseMax(token)
  redis.call('HSET', prefix .. 'vote:' .. name, 'session', session, 'claim', claim, 'token', whole(token), 'value', value)
  redis.call('SADD', prefix .. 'names:' .. session, 'v' .. name)
end

local function deleteVote(name, vote)
  raiseFloor(vote.token)
  redis.call('DEL', prefix .. 'vote:' .. name)
  redis.call('SREM', prefix .. 'names:' .. vote.session, 'v' .. name)
end
`;
