"""Lua scripts for a Redis or Valkey server, each one atomic step. They implement the rules of store/rules.py.

Whole numbers are passed as text and added by HINCRBY, because Lua's numbers are exact only up to 2^53; times are the
server's own. All keys carry the hash tag `{mom}`, so that a cluster keeps them on one node.
"""

_COMMON = """
local function read_clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local function add(key, field, amount)
  if amount == '0' then return end
  local reply = redis.pcall('HINCRBY', key, field, amount)
  if type(reply) == 'table' and reply.err then redis.call('HSET', key, field, '9223372036854775807') end
end

local function turn_day(period, spent, day, now)
  local known = redis.call('HMGET', period, 'day', 'began')
  local in_force, began = tonumber(known[1]), tonumber(known[2])
  local turned = not in_force or day > in_force
  if not turned and day < in_force then
    if now < began - 3600 then
      redis.call('HSET', period, 'began', string.format('%.6f', now))
    elseif now >= began + 86400 then
      turned = true
    end
  end
  if turned then
    redis.call('HSET', period, 'day', day, 'began', string.format('%.6f', now))
    redis.call('DEL', spent)
  end
end

local function release(id, reserved, claims, leases)
  local packed = redis.call('HGET', claims, id)
  if not packed then return end
  local claim = cjson.decode(packed)
  for i = 3, #claim do
    if claim[1] ~= '0' then redis.call('HINCRBY', reserved, 't' .. claim[i], '-' .. claim[1]) end
    if claim[2] ~= '0' then redis.call('HINCRBY', reserved, 'c' .. claim[i], '-' .. claim[2]) end
  end
  redis.call('HDEL', claims, id)
  redis.call('ZREM', leases, id)
end

local position = 0
local function read()
  position = position + 1
  return ARGV[position]
end
"""

RESERVE = (
    _COMMON
    + """
-- KEYS: period, spent, reserved, claims, leases, a bucket for each rate
-- ARGV: id, day, seconds, tokens, cost, n, n times (name, per minute), n, n times (account, most tokens, most cost)
local period, spent, reserved, claims, leases = unpack(KEYS, 1, 5)
local id, day, lifetime_s, tokens, cost = read(), tonumber(read()), tonumber(read()), read(), read()
if redis.call('HEXISTS', claims, id) == 1 then return false end
local now = read_clock()
turn_day(period, spent, day, now)
for _, each in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', string.format('%.6f', now))) do
  release(each, reserved, claims, leases)
end
for _, each in ipairs(redis.call('ZRANGEBYSCORE', leases, string.format('(%.6f', now + 86400), '+inf')) do
  release(each, reserved, claims, leases)
end
local filled = {}
for i = 1, tonumber(read()) do
  local name, per_minute = read(), tonumber(read())
  local bucket = redis.call('HMGET', KEYS[5 + i], 'level', 'at')
  local level, at = tonumber(bucket[1] or 0), tonumber(bucket[2] or 0)
  if now < at - 60 then level = 0 end
  level = math.max(0, level - math.max(0, now - at) * per_minute / 60)
  if level + 1 > per_minute + 1e-9 then
    return {'rate', name, string.format('%.6f', (level + 1 - per_minute) * 60 / per_minute)}
  end
  filled[i] = level + 1
end
local claim = {tokens, cost}
for _ = 1, tonumber(read()) do
  local account, most_tokens, most_cost = read(), read(), read()
  local used = redis.call('HMGET', spent, 't' .. account, 'c' .. account)
  local held = redis.call('HMGET', reserved, 't' .. account, 'c' .. account)
  local used_tokens, used_cost = tonumber(used[1] or 0), tonumber(used[2] or 0)
  local n_tokens, n_cost = used_tokens + tonumber(held[1] or 0), used_cost + tonumber(held[2] or 0)
  local lacking = nil
  if most_tokens ~= '' then
    local most = tonumber(most_tokens)
    if n_tokens >= most or n_tokens + tonumber(tokens) > most then lacking = 'tokens' end
  end
  if most_cost ~= '' then
    local most = tonumber(most_cost)
    if n_cost >= most or n_cost + tonumber(cost) > most then lacking = 'cost' end
  end
  if lacking then
    return {lacking, account, used[1] or '0', used[2] or '0', held[1] or '0', held[2] or '0'}
  end
  claim[#claim + 1] = account
end
for i, level in ipairs(filled) do
  redis.call('HSET', KEYS[5 + i], 'level', string.format('%.12f', level), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', KEYS[5 + i], 61)
end
if #claim > 2 then
  for i = 3, #claim do
    add(reserved, 't' .. claim[i], tokens)
    add(reserved, 'c' .. claim[i], cost)
  end
  redis.call('HSET', claims, id, cjson.encode(claim))
  redis.call('ZADD', leases, string.format('%.6f', now + lifetime_s), id)
end
return false
"""
)

RECORD = (
    _COMMON
    + """
-- KEYS: period, spent, reserved, claims, leases, writer, the usage of each day
-- ARGV: number, day, seconds of a writer, seconds of usage, n, n times (account, tokens, cost), n, n claims,
--       n, n times (which key, name, requests, prompt, completion, cached, cost)
local period, spent, reserved, claims, leases, writer = unpack(KEYS, 1, 6)
local number, day, writer_s, usage_s = tonumber(read()), tonumber(read()), read(), read()
if number <= tonumber(redis.call('GET', writer) or -1) then return false end
redis.call('SET', writer, number, 'EX', writer_s)
turn_day(period, spent, day, read_clock())
for _ = 1, tonumber(read()) do
  local account = read()
  add(spent, 't' .. account, read())
  add(spent, 'c' .. account, read())
end
for _ = 1, tonumber(read()) do
  release(read(), reserved, claims, leases)
end
for _ = 1, tonumber(read()) do
  local key, name = KEYS[6 + tonumber(read())], read()
  for _, figure in ipairs({'r', 'p', 'c', 'h', 'm'}) do
    add(key, figure .. name, read())
  end
  redis.call('EXPIRE', key, usage_s)
end
return false
"""
)

READ_SPENT = (
    _COMMON
    + """
-- KEYS: period, spent; ARGV: day
turn_day(KEYS[1], KEYS[2], tonumber(read()), read_clock())
return redis.call('HGETALL', KEYS[2])
"""
)

ADD_OUTCOMES = (
    _COMMON
    + """
-- KEYS: the id that counts once, tallies; ARGV: seconds of the id, half-life in seconds, n, n times (name, amount)
local once, tallies = unpack(KEYS)
local once_s, half_life_s, now = read(), tonumber(read()), read_clock()
if not redis.call('SET', once, 1, 'NX', 'EX', once_s) then return 0 end
for _ = 1, tonumber(read()) do
  local name, amount = read(), tonumber(read())
  local count, weight, at = 0, 0, now
  local known = redis.call('HGET', tallies, name)
  if known then count, weight, at = unpack(cjson.decode(known)) end
  at = tonumber(at)
  weight = math.max(0, tonumber(weight) * 0.5 ^ (math.max(0, now - at) / half_life_s) + amount)
  local when = string.format('%.6f', math.max(now, at))
  redis.call('HSET', tallies, name, cjson.encode({count + 1, string.format('%.12g', weight), when}))
end
return 1
"""
)

RESET_TALLIES = """
-- KEYS: tallies; ARGV: a member
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if cjson.decode(name)[1] == ARGV[1] then redis.call('HDEL', KEYS[1], name) end
end
return 1
"""

ALL = (RESERVE, RECORD, READ_SPENT, ADD_OUTCOMES, RESET_TALLIES)
