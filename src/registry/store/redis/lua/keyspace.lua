-- Keys, and reading through tables: a step sees its own changes before they are written. Nothing is written before
-- `flush`, which a step calls once everything is decided. keys.ts describes the key space. Values are arguments only.

local ROOT = '{mediastreamer}:1:'
-- LAYOUT is that of the key names; FORMAT is the lowest that a reader must know.
local LAYOUT = '1'
local FORMAT = '1.1'
local MAX_PROFILES = 65534
local MAX_MARKS = 1000
-- Ranks of evidence, as in evidence.ts.
local TOLD, PROVED, SEEN = 0, 1, 2

local META = ROOT .. 'meta'
local LOG = ROOT .. 'log'
local SNAPSHOT = ROOT .. 'snapshot'
local PREVIOUS_SNAPSHOT = ROOT .. 'snapshot:previous'
local ENTRIES = ROOT .. 'entries'
local PROFILES = ROOT .. 'profiles'
local PROFILE_NUMBERS = ROOT .. 'profile-numbers'
local PROFILE_USES = ROOT .. 'profile-uses'
local ACCOUNTS = ROOT .. 'accounts'
local SECRETS = ROOT .. 'secrets'
local TOKENS = ROOT .. 'tokens'
local LEASES = ROOT .. 'leases'
local ACTIVITY = ROOT .. 'activity'
local LAPSES = ROOT .. 'lapses'
local PRIVATE_NAMES = ROOT .. 'private-names'
local CREDENTIALS = ROOT .. 'passes'
local CREDENTIAL_LEASES = ROOT .. 'pass-leases'
local DUE = ROOT .. 'due'
local MARKS = ROOT .. 'marks'
local MARK_LEASES = ROOT .. 'mark-leases'
local COUNTERS = ROOT .. 'counters'
local LEADER = ROOT .. 'chores'

local call = redis.call
local pack = cmsgpack.pack
local unpackMessage = cmsgpack.unpack

-- The step's arguments by name. Absent ones are nil.
local args = {}
for index = 4, #ARGV, 2 do args[ARGV[index]] = ARGV[index + 1] end

local function numberArg(name)
  return tonumber(args[name])
end

-- The steps by name. A step returns { 'read', reply } or { 'done', changes, reply }. Records are replied as lists of
-- names and values in turn; nil is replied as false.
local steps = {}

-- Formats a number without an exponent.
local function text(number)
  return string.format('%.0f', number)
end

local DAY_MS = 86400000
local LEASE_SPREAD_MS = 21600000
-- As in days.ts.
local LAPSE_NOTICE_DAYS = 30

-- Returns the start of the day. Times are kept to the day, except those of credentials.
local function dayOf(ms)
  return ms - ms % DAY_MS
end

local function time()
  local now = call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

local function accountKey(id)
  return ROOT .. 'account:' .. id
end

-- meta ---------------------------------------------------------------------------------------------------------

local META_FIELDS = {
  'format', 'leastFormat', 'epoch', 'seq', 'trimmed', 'digestA', 'digestB', 'heartbeat', 'snapshotSeq', 'lostSeq',
  'predecessors', 'adopted', 'confirmed', 'previousSnapshotSeq', 'importing',
}
local meta = {}
do
  local values = call('HMGET', META, unpack(META_FIELDS))
  for index, field in ipairs(META_FIELDS) do meta[field] = values[index] or nil end
  meta.seq = tonumber(meta.seq or 0)
  meta.trimmed = tonumber(meta.trimmed or 0)
  meta.digestA = tonumber(meta.digestA or 0)
  meta.digestB = tonumber(meta.digestB or 0)
  meta.snapshotSeq = tonumber(meta.snapshotSeq or -1)
end

-- Returns the moment at which a lease ends, as leaseEnd in days.ts.
local function leaseEnd(reg)
  local hash = redis.sha1hex((meta.epoch or '') .. ':' .. reg.id)
  return dayOf(reg.expiresAt) + DAY_MS + 1 + tonumber(string.sub(hash, 1, 8), 16) % LEASE_SPREAD_MS
end

local counters = { changed = {} }
local function counter(name)
  if counters[name] == nil then counters[name] = tonumber(call('HGET', COUNTERS, name) or 0) end
  return counters[name]
end
local function setCounter(name, value)
  counters[name] = value
  counters.changed[name] = true
end
local function nextOf(name)
  setCounter(name, counter(name) + 1)
  return counters[name]
end

-- Writes other than those of accounts and entries, in order.
local writes = {}
local function write(...)
  writes[#writes + 1] = { ... }
end

local erased = false

-- accounts -----------------------------------------------------------------------------------------------------

local ACCOUNT_FIELDS = {
  'region', 'services', 'perAccount', 'suspended', 'createdAt', 'secret', 'ipv4', 'ipv6', 'tokens', 'hostnames',
  'activeAt', 'keep',
}
local accounts = {}

-- Adds an account that is new in this step.
local function putNewAccount(one)
  one.ipv4, one.ipv6 = 0, 0
  one.regs, one.ids, one.changedRegs = {}, {}, {}
  one.changed, one.isWhole = true, true
  accounts[one.id] = one
  write('ZADD', ACCOUNTS, 0, one.id)
  write('HSET', SECRETS, one.secret, one.id)
  return one
end

-- Returns the account, or nil. `regs` maps a prefix to its registration; false means that there is none.
local function account(id)
  local known = accounts[id]
  if known ~= nil then return known or nil end
  local values = call('HMGET', accountKey(id), unpack(ACCOUNT_FIELDS))
  if not values[1] then
    accounts[id] = false
    return nil
  end
  local one = {
    id = id, region = values[1], services = values[2], perAccount = tonumber(values[3]),
    suspended = values[4] == '1', createdAt = text(dayOf(tonumber(values[5]))), secret = values[6], ipv4 = tonumber(values[7]),
    activeAt = tonumber(values[11]) or nil, keep = values[12] == '1',
    ipv6 = tonumber(values[8]), tokens = tonumber(values[9]), hostnames = tonumber(values[10]),
    regs = {}, ids = {}, changedRegs = {}, changed = false, isWhole = false,
  }
  accounts[id] = one
  return one
end

local function unpackRegistration(prefix, bytes)
  local m = unpackMessage(bytes)
  return {
    prefix = prefix, id = m[1], number = m[2], renewal = m[3], createdAt = dayOf(m[4]), expiresAt = dayOf(m[5]),
    source = m[6], label = m[7], hasTime = m[4] % DAY_MS > 0 or m[5] % DAY_MS > 0,
    -- Format 1.0 kept no evidence.
    evidence = m[8] or (m[6] == 'hostname' and PROVED or SEEN),
  }
end

local function registration(one, prefix)
  local known = one.regs[prefix]
  if known == nil and not one.isWhole then
    local bytes = call('HGET', accountKey(one.id), 'r:' .. prefix)
    known = bytes and unpackRegistration(prefix, bytes) or false
    one.regs[prefix] = known
  end
  return known or nil
end

local function registrationById(one, id)
  if one.ids[id] ~= nil then return one.ids[id] and registration(one, one.ids[id]) or nil end
  local prefix = call('HGET', accountKey(one.id), 'i:' .. id)
  return prefix and registration(one, prefix) or nil
end

-- Lists all of the account's registrations, the first registered first.
local function registrations(one)
  if not one.isWhole then
    local fields = call('HGETALL', accountKey(one.id))
    for index = 1, #fields, 2 do
      local field = fields[index]
      if string.sub(field, 1, 2) == 'r:' then
        local prefix = string.sub(field, 3)
        if one.regs[prefix] == nil then one.regs[prefix] = unpackRegistration(prefix, fields[index + 1]) end
      end
    end
    one.isWhole = true
  end
  local list = {}
  for _, reg in pairs(one.regs) do
    if reg then list[#list + 1] = reg end
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

-- Lists the account's fields that begin with `tag`: id and unpacked value of each, in the order of their numbers.
local function tagged(one, tag)
  local list = {}
  local fields = call('HGETALL', accountKey(one.id))
  for index = 1, #fields, 2 do
    if string.sub(fields[index], 1, 2) == tag then
      list[#list + 1] = { id = string.sub(fields[index], 3), value = unpackMessage(fields[index + 1]) }
    end
  end
  table.sort(list, function(a, b) return a.value[1] < b.value[1] end)
  return list
end

-- Reads one such field; nil if it is missing.
local function taggedValue(one, tag, id)
  local bytes = one and call('HGET', accountKey(one.id), tag .. id)
  return bytes and unpackMessage(bytes) or nil
end

local function putRegistration(one, reg)
  reg.createdAt, reg.expiresAt = dayOf(reg.createdAt), dayOf(reg.expiresAt)
  one.regs[reg.prefix] = reg
  one.ids[reg.id] = reg.prefix
  one.changedRegs[reg.prefix] = reg
end

local function dropRegistration(one, reg)
  one.regs[reg.prefix] = false
  one.ids[reg.id] = false
  one.changedRegs[reg.prefix] = one.changedRegs[reg.prefix] or reg
  one.gone = one.gone or {}
  one.gone[#one.gone + 1] = reg
end

-- Notes that the account registered an address: it does not lapse.
local function active(one, nowMs)
  if one.activeAt and one.activeAt >= dayOf(nowMs) and not call('ZSCORE', LAPSES, one.id) then return end
  one.activeAt = math.max(one.activeAt or 0, dayOf(nowMs))
  one.changed = true
  write('ZREM', LAPSES, one.id)
end

local function familyOf(prefix)
  return string.byte(prefix, 1)
end

-- Splits a member of LEASES into the prefix and the account's id.
local function splitLease(member)
  local family, length = string.byte(member, 1, 2)
  local width = 2 + (family == 4 and 4 or (length <= 64 and 8 or 16))
  return string.sub(member, 1, width), string.sub(member, width + 1)
end

-- Lists accounts by id from the first after `args.after`.
local function accountPage()
  local from = args.after and '(' .. args.after or '-'
  return call('ZRANGEBYLEX', ACCOUNTS, from, '+', 'LIMIT', 0, args.limit)
end
