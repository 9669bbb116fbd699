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
local floor, ceil, max, min, format = math.floor, math.ceil, math.max, math.min, string.format
local pack, unpack = struct.pack, struct.unpack
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local what = ARGV[1]

local function monthAround(seconds)
  -- Days to a civil date and back, by H. Hinnant's algorithms; years begin in March there.
  local day = floor(seconds / 86400) + 719468
  local era = floor(day / 146097)
  local doe = day - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local function firstOf(years, month)
    local y = years + floor(month / 12)
    local m = month % 12
    local e = floor(y / 400)
    local r = y - e * 400
    local d = floor((153 * m + 2) / 5)
    return (e * 146097 + r * 365 + floor(r / 4) - floor(r / 100) + d - 719468) * 86400
  end
  return firstOf(yoe + era * 400, mp), firstOf(yoe + era * 400, mp + 1)
end

local function periodAround(period, at)
  local seconds = floor(at / 1000000)
  local from, to
  if period == 'month' then from, to = monthAround(seconds)
  else
    local length = ({ minute = 60, hour = 3600, day = 86400 })[period]
    from = floor(seconds / length) * length
    to = from + length
  end
  return from * 1000000, to * 1000000
end

local allowed = true
local fitting, values, lives, costs, answer = {}, {}, {}, {}, {}
for i = 1, #KEYS do
  local at = i * 6 - 4
  local algorithm, limit, window, cost = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], tonumber(ARGV[at + 4])
  local charged = what == 'refund' and -cost or cost
  local kept = redis.call('GET', KEYS[i]) or ''
  local left, reset, fits, value, life
  local retry = 0
  if algorithm == 'sliding' then
    -- The total, then slots, oldest first: 8 bytes each for a slot and its points. Only the ends are looked at, however
    -- many slots there are. Whole microseconds and an exact remainder: the moment times 50 would not fit a double.
    window = tonumber(window)
    local part = ceil(window / SLOTS)
    local slot = (now - math.fmod(now, part)) / part
    local total, from, to = 0, 9, #kept
    reset = window
    if to > 0 then
      total = unpack('>d', kept)
      if unpack('>d', kept, to - 15) > slot then
        -- A clock that went back: what was charged later than now was charged now. Written at once, also for a refusal,
        -- or it would stay in front of the clock for as long as that went back.
        local points, cut = 0, to
        while cut > 8 do
          local newest, had = unpack('>dd', kept, cut - 15)
          if newest < slot then break end
          points, cut = points + had, cut - 16
        end
        kept = string.sub(kept, 1, cut) .. pack('>dd', slot, points)
        to = #kept
        if what ~= 'peek' then redis.call('SET', KEYS[i], kept, 'PX', format('%.0f', ceil((SLOTS + 1) * part / 1000))) end
      end
      while from < to do
        local oldest, points = unpack('>dd', kept, from)
        if oldest >= slot - SLOTS then
          reset = (oldest + SLOTS + 1) * part - now
          break
        end
        total, from = total - points, from + 16
      end
    end
    left = max(0, limit - total)
    local missing = cost - (limit - total)
    fits = missing <= 0
    if not fits then
      retry = -1
      for here = from, to - 1, 16 do
        local oldest, points = unpack('>dd', kept, here)
        missing = missing - points
        if missing <= 0 then
          retry = (oldest + SLOTS + 1) * part - now
          break
        end
      end
    end
    local tail = ''
    if charged > 0 then
      local points = charged
      if to > from then
        local newest, had = unpack('>dd', kept, to - 15)
        if newest == slot then slot, points, to = newest, had + charged, to - 16 end
      end
      tail, total = pack('>dd', slot, points), total + charged
    end
    while charged < 0 and to > from do
      local newest, had = unpack('>dd', kept, to - 15)
      local back = min(-charged, had)
      charged, to, total = charged + back, to - 16, total - back
      if had > back then tail = pack('>dd', newest, had - back) end
    end
    if to > from or tail ~= '' then value = pack('>d', total) .. string.sub(kept, from, to) .. tail end
    life = (SLOTS + 1) * part
  elseif algorithm == 'gcra' then
    local interval, burst = tonumber(window) / limit, tonumber(ARGV[at + 3])
    local capacity, used = interval * burst, 0
    if kept ~= '' then
      local wrote, had = unpack('>dd', kept)
      -- A clock that went back, as after a failover, drips nothing away and adds nothing.
      used = max(0, had - max(0, now - wrote))
    end
    left = max(0, floor((capacity - used) / interval + 0.000001))
    reset = math.fmod(used, interval)
    if reset == 0 then reset = interval end
    fits = cost <= left
    if not fits then retry = cost > burst and -1 or used + cost * interval - capacity end
    life = max(0, used + charged * interval)
    if life > 0 then value = pack('>dd', now, life) end
  else
    local from, to = periodAround(window, now)
    local total = 0
    if kept ~= '' then
      local began, had = unpack('>dd', kept)
      -- A clock that went back over the period's end goes on in the later one: what was used there is used.
      if began == to then from, to = periodAround(window, to) end
      if began == from then total = had end
    end
    left = max(0, limit - total)
    reset = to - now
    fits = cost <= left
    if not fits then retry = cost > limit and -1 or reset end
    total = max(0, total + charged)
    if total > 0 then value = pack('>dd', from, total) end
    life = to - now
  end
  if not fits and ARGV[at + 5] ~= '1' then allowed = false end
  fitting[i], values[i], lives[i], costs[i] = fits, value or false, life, cost
  local place = i * 4 - 3
  answer[place] = fits and 1 or 0
  answer[place + 1] = left
  answer[place + 2] = max(0, ceil(reset / 1000))
  answer[place + 3] = retry > 0 and max(1, ceil(retry / 1000)) or retry
end

if what == 'refund' or (what == 'take' and allowed) then
  for i = 1, #KEYS do
    if fitting[i] or what == 'refund' then
      if values[i] then redis.call('SET', KEYS[i], values[i], 'PX', format('%.0f', max(1, ceil(lives[i] / 1000))))
      else redis.call('DEL', KEYS[i]) end
      if what == 'take' then answer[i * 4 - 2] = answer[i * 4 - 2] - costs[i] end
    end
  end
end
return answer
`
