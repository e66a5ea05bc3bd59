-- Followed host names. A name is packed as number, name, state, createdAt, checkedAt or false, next look-up, and a list
-- of prefixes that it may not register before it moves.

local function hostnameReply(id, m)
  return {
    'id', id, 'hostname', m[2], 'state', m[3], 'createdAtMs', dayOf(m[4]), 'checkedAtMs', m[5] and dayOf(m[5]),
  }
end

local function writeHostname(one, id, m)
  m[4], m[5] = dayOf(m[4]), m[5] and dayOf(m[5])
  write('HSET', accountKey(one.id), 'h:' .. id, pack(m))
  write('ZADD', DUE, text(m[6]), pack({ one.id, id }))
end

function steps.addHostname()
  local one = account(args.accountId)
  if not one then return { 'read', { 'outcome', 'no-account' } } end
  local held = tagged(one, 'h:')
  for _, name in ipairs(held) do
    if name.value[2] == args.hostname then
      return { 'read', { 'outcome', 'exists', 'hostname', hostnameReply(name.id, name.value) } }
    end
  end
  if #held >= numberArg('limit') then return { 'read', { 'outcome', 'too-many' } } end
  local nowMs = numberArg('nowMs')
  local m = { nextOf('number'), args.hostname, 'waiting', nowMs, false, nowMs }
  one.hostnames = one.hostnames + 1
  one.changed = true
  writeHostname(one, args.id, m)
  return done({ 'outcome', 'created', 'hostname', hostnameReply(args.id, m) })
end

local function madeBy(one, hostname)
  local list = {}
  for _, reg in ipairs(registrations(one)) do
    if reg.label == hostname and reg.source == 'hostname' then list[#list + 1] = reg end
  end
  return list
end

local function dropHostname(one, id, m)
  for _, reg in ipairs(madeBy(one, m[2])) do remove(one, reg) end
  one.hostnames = one.hostnames - 1
  one.changed = true
  write('HDEL', accountKey(one.id), 'h:' .. id)
  write('ZREM', DUE, pack({ one.id, id }))
  erased = true
end

function steps.removeHostname()
  local one = account(args.accountId)
  local m = taggedValue(one, 'h:', args.id)
  if not m then return { 'read', 0 } end
  dropHostname(one, args.id, m)
  return done(1)
end

function steps.dueHostnames()
  local list = {}
  for _, member in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', args.nowMs, 'LIMIT', 0, args.limit)) do
    local owner, id = unpack(unpackMessage(member))
    local one = account(owner)
    list[#list + 1] = {
      'accountId', owner, 'suspended', one.suspended and 1 or 0,
      'hostname', hostnameReply(id, taggedValue(one, 'h:', id)),
    }
  end
  return { 'read', list }
end

-- Ends the `told` registrations of a prefix that no `seen` holder has any longer.
endTold = function(prefix)
  local told = {}
  for _, holder in ipairs(entry(prefix).holders) do
    local evidence = evidenceOf(holder, prefix)
    if evidence == SEEN then return end
    if evidence == TOLD then told[#told + 1] = account(holder.id) end
  end
  for _, one in ipairs(told) do
    local reg = registration(one, prefix)
    remove(one, reg)
    -- Read once a step, so that a second address of the name keeps the first one's bar.
    one.names = one.names or tagged(one, 'h:')
    for _, name in ipairs(reg.source == 'hostname' and one.names or {}) do
      if name.value[2] == reg.label then
        local barred = name.value[7] or {}
        barred[#barred + 1] = prefix
        name.value[7] = barred
        writeHostname(one, name.id, name.value)
      end
    end
  end
end

-- Registers or renews one address of a name. Returns false if it is barred, or past the account's limit.
local function follow(one, hostname, prefix, id, nowMs, expiresAt, isBarred)
  local isSeen = prefix == args.seen
  local evidence = isSeen and SEEN or TOLD
  local reg = registration(one, prefix)
  if reg then
    if reg.expiresAt < numberArg('renewBeforeMs') or (isSeen and reg.evidence < SEEN) then
      renew(one, reg, expiresAt, evidence)
    end
    return true
  end
  if isBarred and not isSeen then return false end
  local leaving = makeRoom(one, nowMs, false)
  if not leaving then return false end
  for _, old in ipairs(leaving) do remove(one, old) end
  add(one, {
    prefix = prefix, id = id, createdAt = nowMs, expiresAt = expiresAt, source = 'hostname', label = hostname,
    evidence = evidence,
  })
  return true
end

-- Lists the barred prefixes that the name still has, and those of families that were not looked up.
local function stillBarred(barred, has)
  local list, known = {}, {}
  for _, prefix in ipairs(barred or {}) do
    local isLookedUp = args.families:find(text(familyOf(prefix)), 1, true)
    if not known[prefix] and (has[prefix] or not isLookedUp) then
      known[prefix] = true
      list[#list + 1] = prefix
    end
  end
  return list, known
end

-- The addresses are prefix1, id1, prefix2, id2 and so on; `seen` is the caller's.
function steps.settleHostname()
  local nowMs, expiresAt = numberArg('nowMs'), numberArg('expiresAtMs')
  local one = account(args.accountId)
  local m = taggedValue(one, 'h:', args.id)
  if not m then return { 'read', 0 } end
  local prefixes, has = {}, {}
  while args['prefix' .. #prefixes + 1] do
    prefixes[#prefixes + 1] = args['prefix' .. #prefixes + 1]
    has[prefixes[#prefixes]] = true
  end
  for _, reg in ipairs(madeBy(one, m[2])) do
    local isLookedUp = args.families:find(text(familyOf(reg.prefix)), 1, true)
    if isLookedUp and not has[reg.prefix] then remove(one, reg) end
  end
  local barred, isBarred = stillBarred(m[7], has)
  local state, followed = args.state, 0
  for index, prefix in ipairs(prefixes) do
    if follow(one, m[2], prefix, args['id' .. index], nowMs, expiresAt, isBarred[prefix]) then
      followed = followed + 1
    elseif not isBarred[prefix] then
      state = 'too-many'
    end
  end
  if state == 'followed' and followed == 0 then state = 'not-usable' end
  writeHostname(one, args.id, { m[1], m[2], state, m[4], nowMs, numberArg('nextAtMs'), barred })
  return done(1)
end
