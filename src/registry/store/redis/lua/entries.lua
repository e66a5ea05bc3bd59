-- The entries of the allowlist. A step marks them (hold, release, renewHolder, touch) and settles them once.

local entries = {}
local touched = {}
-- Prefixes that a `seen` holder gave up in this step.
local givenUp = {}

-- An entry is its profile's number, then packed: 0 (unused since format 1.1), and id and renewal of each holder.
local function entry(prefix)
  local known = entries[prefix]
  if known ~= nil then return known end
  local bytes = call('HGET', ENTRIES, prefix)
  local one = { profile = 0, holders = {} }
  if bytes then
    local m = unpackMessage(string.sub(bytes, 5))
    one.profile = struct.unpack('>I4', bytes)
    for index = 2, #m, 2 do one.holders[#one.holders + 1] = { id = m[index], renewal = m[index + 1] } end
  end
  entries[prefix] = one
  return one
end

local function touch(prefix)
  local one = entry(prefix)
  if one.isTouched then return one end
  one.isTouched = true
  touched[#touched + 1] = prefix
  return one
end

local function holderOf(one, id)
  for index, holder in ipairs(one.holders) do
    if holder.id == id then return index end
  end
end

local function hold(owner, reg)
  local one = touch(reg.prefix)
  one.holders[#one.holders + 1] = { id = owner.id, renewal = reg.renewal }
end

local function release(owner, reg)
  local one = touch(reg.prefix)
  table.remove(one.holders, holderOf(one, owner.id))
  if reg.evidence == SEEN then givenUp[#givenUp + 1] = reg.prefix end
end

local function renewHolder(owner, reg)
  local one = touch(reg.prefix)
  one.holders[holderOf(one, owner.id)].renewal = reg.renewal
end

local function evidenceOf(holder, prefix)
  local one = account(holder.id)
  local reg = one and registration(one, prefix)
  return reg and reg.evidence or SEEN
end

-- profiles -----------------------------------------------------------------------------------------------------

local profiles = { texts = {}, numbers = {}, uses = {}, made = {}, count = nil }

local function profileText(number)
  if profiles.texts[number] == nil then profiles.texts[number] = call('HGET', PROFILES, number) end
  return profiles.texts[number]
end

-- Returns the number of a profile; nil if there are too many.
local function profileNumber(name)
  local known = profiles.numbers[name]
  if known then return known end
  local found = call('HGET', PROFILE_NUMBERS, name)
  if found then
    known = tonumber(found)
  else
    profiles.count = (profiles.count or call('HLEN', PROFILES)) + 1
    if profiles.count > MAX_PROFILES then return nil end
    known = nextOf('profile')
    profiles.made[#profiles.made + 1] = known
  end
  profiles.numbers[name] = known
  profiles.texts[known] = name
  return known
end

local function useProfile(number, by)
  profiles.uses[number] = (profiles.uses[number] or 0) + by
end

-- The holder with the strongest evidence, and of these the latest renewal, decides alone.
local function profileOf(prefix, one)
  local owner, best
  for _, holder in ipairs(one.holders) do
    local evidence = evidenceOf(holder, prefix)
    if not owner or evidence > best or (evidence == best and holder.renewal > owner.renewal) then
      owner, best = holder, evidence
    end
  end
  local chosen = account(owner.id)
  local ipv4, ipv6 = chosen.ipv4 > 0 and '1' or '0', chosen.ipv6 > 0 and '1' or '0'
  local told = best == TOLD and ',1' or ''
  return '[' .. chosen.region .. ',' .. chosen.services .. ',' .. ipv4 .. ',' .. ipv6 .. told .. ']'
end

-- digest: as in feed/digest.ts ----------------------------------------------------------------------------------

local TWO32 = 4294967296
local bxor, rshift = bit.bxor, bit.rshift

local function multiply(a, b)
  local low, high = a % 65536, math.floor(a / 65536)
  return ((high * b) % 65536 * 65536 + low * b) % TWO32
end

local function mix(hash)
  hash = multiply(bxor(hash, rshift(hash, 16)) % TWO32, 0x85ebca6b)
  hash = multiply(bxor(hash, rshift(hash, 13)) % TWO32, 0xc2b2ae35)
  return bxor(hash, rshift(hash, 16)) % TWO32
end

local function hashEntry(prefix, seed)
  local hash = mix((bxor(seed, familyOf(prefix) * 256 + string.byte(prefix, 2)) + 0x9e3779b9) % TWO32)
  for at = 3, #prefix, 4 do
    hash = mix((bxor(hash, (struct.unpack('>I4', prefix, at))) + 0x9e3779b9) % TWO32)
  end
  return hash
end

local function count(prefix, name, sign)
  local seed = redis.sha1hex(name)
  meta.digestA = (meta.digestA + sign * hashEntry(prefix, tonumber(string.sub(seed, 1, 8), 16))) % TWO32
  meta.digestB = (meta.digestB + sign * hashEntry(prefix, tonumber(string.sub(seed, 9, 16), 16))) % TWO32
end

-- Decides the new profiles of marked entries. Returns the changes' bytes, in the order in which entries were marked;
-- nil if there would be too many profiles.
local function settle()
  local changes = {}
  for _, prefix in ipairs(touched) do
    local one = entries[prefix]
    local before = one.profile ~= 0 and profileText(one.profile) or nil
    local after = nil
    if #one.holders > 0 then after = profileOf(prefix, one) end
    if before ~= after then
      if before then
        useProfile(one.profile, -1)
        count(prefix, before, -1)
      end
      one.profile = 0
      if after then
        one.profile = profileNumber(after)
        if not one.profile then return nil end
        useProfile(one.profile, 1)
        count(prefix, after, 1)
      end
      changes[#changes + 1] = prefix .. (after or '')
    end
  end
  return changes
end
