-- Registered addresses.

local function registrationReply(reg)
  return {
    'id', reg.id, 'prefix', reg.prefix, 'createdAtMs', reg.createdAt, 'expiresAtMs', reg.expiresAt,
    'source', reg.source, 'label', reg.label, 'evidence', reg.evidence,
  }
end

-- The account's first and last registration of a family change the entries of its other family.
local function countFamily(one, family, by)
  local field = family == 4 and 'ipv4' or 'ipv6'
  one[field] = one[field] + by
  one.changed = true
  if one.suspended or one[field] ~= (by == 1 and 1 or 0) then return end
  for _, reg in ipairs(registrations(one)) do
    if familyOf(reg.prefix) ~= family then touch(reg.prefix) end
  end
end

local function remove(one, reg)
  dropRegistration(one, reg)
  erased = true
  if not one.suspended then release(one, reg) end
  countFamily(one, familyOf(reg.prefix), -1)
end

-- Adds a registration made of prefix, id, createdAt, expiresAt, source, label and evidence.
local function add(one, reg)
  reg.number, reg.renewal = nextOf('number'), nextOf('renewal')
  putRegistration(one, reg)
  active(one, numberArg('nowMs'))
  countFamily(one, familyOf(reg.prefix), 1)
  if not one.suspended then hold(one, reg) end
  return reg
end

-- With weaker evidence than the registration's, only the lease moves, not its place in order.
local function renew(one, reg, expiresAt, evidence)
  if evidence >= reg.evidence then
    reg.renewal = nextOf('renewal')
    reg.evidence = evidence
  end
  reg.expiresAt = expiresAt
  putRegistration(one, reg)
  active(one, numberArg('nowMs'))
  if not one.suspended then renewHolder(one, reg) end
end

-- Lists the registrations that give way to one more, the oldest renewal first; nil if none may. `moving` ends in any
-- case.
local function makeRoom(one, nowMs, replaceOldest, moving)
  local excess = one.ipv4 + one.ipv6 + (moving and 0 or 1) - one.perAccount
  if excess <= 0 then return {} end
  local all = registrations(one)
  table.sort(all, function(a, b) return a.renewal < b.renewal end)
  local leaving, valid = {}, {}
  for _, reg in ipairs(all) do
    if reg ~= moving then
      if leaseEnd(reg) <= nowMs then leaving[#leaving + 1] = reg else valid[#valid + 1] = reg end
    end
  end
  if #leaving >= excess then return leaving end
  if not replaceOldest then return nil end
  local missing = excess - #leaving
  for index = 1, math.min(missing, #valid) do leaving[#leaving + 1] = valid[index] end
  return leaving
end

-- Ends the registrations of the prefix's family whose label moves to the prefix. Returns true if there were any.
local function moveLabels(one, prefix)
  local moved = false
  for _, label in ipairs(args.movedLabels and cjson.decode(args.movedLabels) or {}) do
    for _, reg in ipairs(registrations(one)) do
      if reg.label == label and reg.prefix ~= prefix and familyOf(reg.prefix) == familyOf(prefix) then
        remove(one, reg)
        moved = true
      end
    end
  end
  return moved
end

-- Answers a repeated call. A registration that has ended since is not made again.
local function repeatRegister(one, first)
  local reg = registrationById(one, first.id) or {
    id = first.id, prefix = args.prefix, createdAt = first.createdAt, expiresAt = first.expiresAt,
    source = args.source, label = args.label or false, evidence = numberArg('evidence'),
  }
  return {
    'read',
    {
      'outcome', first.outcome, 'registration', registrationReply(reg), 'replaced', false,
      'changed', first.outcome == 'created' and 1 or 0,
    },
  }
end

-- Without keepLabel the label becomes args.label, or none.
function steps.register()
  local prefix, nowMs, expiresAt = args.prefix, numberArg('nowMs'), numberArg('expiresAtMs')
  local one = account(args.accountId)
  if not one then return { 'read', { 'outcome', 'no-account' } } end
  local first = findMark(nowMs)
  if first == 'key-reused' then return { 'read', { 'outcome', 'key-reused' } } end
  if first then return repeatRegister(one, first) end
  local label = args.label or false
  local moved = moveLabels(one, prefix)
  local reg = registration(one, prefix)
  local outcome, replaced, changed = 'renewed', false, moved
  if reg then
    if not args.keepLabel and reg.label ~= label then
      reg.label = label
      changed = true
    end
    renew(one, reg, expiresAt, numberArg('evidence'))
  else
    local leaving = makeRoom(one, nowMs, args.replaceOldest)
    if not leaving then return { 'read', { 'outcome', 'too-many', 'perAccount', one.perAccount } } end
    for _, old in ipairs(leaving) do
      if not replaced and leaseEnd(old) > nowMs then replaced = registrationReply(old) end
      remove(one, old)
    end
    reg = add(one, {
      prefix = prefix, id = args.id, createdAt = nowMs, expiresAt = expiresAt, source = args.source, label = label,
      evidence = numberArg('evidence'),
    })
    outcome, changed = 'created', true
  end
  keepMark(one.id, outcome, reg)
  return done({
    'outcome', outcome, 'registration', registrationReply(reg), 'replaced', replaced, 'changed', changed and 1 or 0,
  })
end

function steps.removeRegistration()
  local one = account(args.accountId)
  local reg = one and registrationById(one, args.id)
  if not reg then return { 'read', 0 } end
  remove(one, reg)
  return done(1)
end

function steps.relabelRegistration()
  local one = account(args.accountId)
  local reg = one and registrationById(one, args.id)
  if not reg then return { 'read', false } end
  if reg.source == 'hostname' then return { 'read', 'hostname' } end
  local label = args.label or false
  if reg.label and reg.label ~= label then erased = true end
  reg.label = label
  putRegistration(one, reg)
  return done(registrationReply(reg))
end

local FORGET_LIMIT = 1000

function steps.expireLeases()
  local members = call('ZRANGEBYSCORE', LEASES, '-inf', args.nowMs, 'LIMIT', 0, args.limit)
  local expired = 0
  for _, member in ipairs(members) do
    local prefix, owner = splitLease(member)
    local one = account(owner)
    local reg = registration(one, prefix)
    -- Earlier releases wrote another end: it is corrected.
    if leaseEnd(reg) > tonumber(args.nowMs) then putRegistration(one, reg)
    else
      remove(one, reg)
      expired = expired + 1
    end
  end
  local isMore = #members > 0
  for _, key in ipairs(call('ZRANGEBYSCORE', MARK_LEASES, '-inf', args.nowMs, 'LIMIT', 0, FORGET_LIMIT)) do
    dropMark(key, unpackMessage(call('HGET', MARKS, key))[1])
    isMore = true
  end
  for _, field in ipairs(call('ZRANGEBYSCORE', CREDENTIAL_LEASES, '-inf', args.nowMs, 'LIMIT', 0, FORGET_LIMIT)) do
    local owner = unpackMessage(call('HGET', CREDENTIALS, field))[1]
    dropCredential(field, credentialsOf(string.match(field, '^%a+'), owner))
    isMore = true
  end
  if not isMore then return { 'read', 0 } end
  return done(expired)
end
