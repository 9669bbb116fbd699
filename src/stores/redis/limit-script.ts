/**
 * Counts all limits of a request in one step of the server, by the server's clock: looks at all, and only where all
 * have room writes any. The rules are those of `stores/memory/algorithms.ts`, in microseconds.
 *
 * `KEYS`: one for each limit. `ARGV`: what to do (`take`, `peek`, `refund`), then for each limit its algorithm, limit, window in
 * microseconds or calendar period, burst, cost, and whether it is a trial. Answers, for each limit: whether it has room, what is left, and in
 * how many milliseconds there is more, and the cost would fit (-1: never).
 */
export const LIMIT_SCRIPT = `
local SLOTS = 50
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local what = ARGV[1]

local function text(number) return string.format('%.0f', number) end
local function inMs(us) return math.max(0, math.ceil(us / 1000)) end

local function monthAround(seconds)
  -- Days to a civil date and back, by H. Hinnant's algorithms; years begin in March there.
  local day = math.floor(seconds / 86400) + 719468
  local era = math.floor(day / 146097)
  local doe = day - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local function firstOf(years, month)
    local y = years + math.floor(month / 12)
    local m = month % 12
    local e = math.floor(y / 400)
    local r = y - e * 400
    local d = math.floor((153 * m + 2) / 5)
    return (e * 146097 + r * 365 + math.floor(r / 4) - math.floor(r / 100) + d - 719468) * 86400
  end
  return firstOf(yoe + era * 400, mp), firstOf(yoe + era * 400, mp + 1)
end

local function periodAround(period)
  local seconds = math.floor(now / 1000000)
  local from, to
  if period == 'month' then from, to = monthAround(seconds)
  else
    local length = ({ minute = 60, hour = 3600, day = 86400 })[period]
    from = math.floor(seconds / length) * length
    to = from + length
  end
  return from * 1000000, to * 1000000
end

local limits = {}
local allowed = true
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 6
  local one = {
    key = key, algorithm = ARGV[at], limit = tonumber(ARGV[at + 1]), window = ARGV[at + 2],
    burst = tonumber(ARGV[at + 3]), cost = tonumber(ARGV[at + 4]),
    trial = ARGV[at + 5] == '1'
  }
  local kept = redis.call('GET', key) or ''
  if one.algorithm == 'sliding' then
    -- Whole microseconds and an exact remainder: the moment times 50 would not fit a double.
    one.part = math.ceil(tonumber(one.window) / SLOTS)
    one.slot = (now - math.fmod(now, one.part)) / one.part
    one.slots, one.total = {}, 0
    for slot, points in string.gmatch(kept, '(%d+):(%d+)') do
      slot, points = tonumber(slot), tonumber(points)
      if slot >= one.slot - SLOTS then
        table.insert(one.slots, { slot, points })
        one.total = one.total + points
      end
    end
    local function leaves(slot) return (slot + SLOTS + 1) * one.part - now end
    one.left = math.max(0, one.limit - one.total)
    one.reset = one.slots[1] and leaves(one.slots[1][1]) or tonumber(one.window)
    local missing = one.cost - (one.limit - one.total)
    one.fits = missing <= 0
    one.retry = -1
    for _, pair in ipairs(one.slots) do
      missing = missing - pair[2]
      if missing <= 0 then one.retry = leaves(pair[1]) break end
    end
  elseif one.algorithm == 'gcra' then
    one.interval = tonumber(one.window) / one.limit
    local wrote, used = string.match(kept, '^(%d+):(.+)$')
    -- A clock that went back, as after a failover, drips nothing away and adds nothing.
    one.used = wrote and math.max(0, tonumber(used) - math.max(0, now - tonumber(wrote))) or 0
    local capacity = one.interval * one.burst
    one.left = math.max(0, math.floor((capacity - one.used) / one.interval + 0.000001))
    one.reset = math.fmod(one.used, one.interval)
    if one.reset == 0 then one.reset = one.interval end
    one.fits = one.cost <= one.left
    one.retry = one.cost > one.burst and -1 or one.used + one.cost * one.interval - capacity
  else
    one.from, one.to = periodAround(one.window)
    local from, total = string.match(kept, '^(%d+):(%d+)$')
    one.total = tonumber(from) == one.from and tonumber(total) or 0
    one.left = math.max(0, one.limit - one.total)
    one.reset = one.to - now
    one.fits = one.cost <= one.left
    one.retry = one.cost > one.limit and -1 or one.reset
  end
  if not one.fits and not one.trial then allowed = false end
  limits[i] = one
end

local function write(one, cost)
  local value, life
  if one.algorithm == 'sliding' then
    local slots = one.slots
    if cost > 0 then
      local newest = slots[#slots]
      if newest and newest[1] == one.slot then newest[2] = newest[2] + cost
      else table.insert(slots, { one.slot, cost }) end
    end
    while cost < 0 and #slots > 0 do
      local newest = slots[#slots]
      local back = math.min(-cost, newest[2])
      newest[2] = newest[2] - back
      cost = cost + back
      if newest[2] == 0 then table.remove(slots) end
    end
    local parts = {}
    for i, pair in ipairs(slots) do parts[i] = text(pair[1]) .. ':' .. text(pair[2]) end
    value, life = table.concat(parts, ','), (SLOTS + 1) * one.part
  elseif one.algorithm == 'gcra' then
    life = math.max(0, one.used + cost * one.interval)
    value = life > 0 and text(now) .. ':' .. string.format('%.17g', life) or ''
  else
    local total = math.max(0, one.total + cost)
    value, life = total > 0 and text(one.from) .. ':' .. text(total) or '', one.to - now
  end
  if value == '' then redis.call('DEL', one.key)
  else redis.call('SET', one.key, value, 'PX', text(math.max(1, inMs(life)))) end
end

if what == 'take' and allowed then
  for _, one in ipairs(limits) do
    if one.fits then
      write(one, one.cost)
      one.left = one.left - one.cost
    end
  end
elseif what == 'refund' then
  for _, one in ipairs(limits) do write(one, -one.cost) end
end

local answer = {}
for _, one in ipairs(limits) do
  local never = one.retry == -1
  table.insert(answer, one.fits and 1 or 0)
  table.insert(answer, one.left)
  table.insert(answer, inMs(one.reset))
  table.insert(answer, one.fits and 0 or never and -1 or math.max(1, inMs(one.retry)))
end
return answer
`
