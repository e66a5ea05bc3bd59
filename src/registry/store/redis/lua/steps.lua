-- The steps of store.ts, by their names there. `A` are the step's arguments, as steps.ts gives them. A step replies
-- 'read' and what it found, or 'done', the changes, and what became of it.

local A = {}
for index = 4, #ARGV do A[index - 3] = ARGV[index] end

local steps = {}

local function accountReply(one)
  return { one.id, one.region, one.perAccount, one.suspended and 1 or 0, one.services, tonumber(one.createdAt) }
end

local function tokenReply(id, m)
  return { id, m[3], m[4] }
end

local function hostnameReply(id, m)
  return { id, m[2], m[3], m[4], m[5] }
end

local function registrationReply(reg)
  return { reg.id, reg.prefix, reg.createdAt, reg.expiresAt, reg.source, reg.label }
end

-- repeats ------------------------------------------------------------------------------------------------------

-- The first call with this mark, nil, or 'key-reused'.
local function findMark(key, fingerprint, nowMs)
  local bytes = key ~= '' and call('HGET', MARKS, key)
  if not bytes then return nil end
  local m = unpackMessage(bytes)
  if m[3] <= nowMs then return nil end
  if m[2] ~= fingerprint then return 'key-reused' end
  return { account = m[1], outcome = m[4], id = m[5], createdAt = m[6], expiresAt = m[7] }
end

local function dropMark(key, owner)
  write('HDEL', MARKS, key)
  write('ZREM', MARK_LEASES, key)
  write('ZREM', ROOT .. 'marks:' .. owner, key)
end

local function keepMark(key, fingerprint, expiresAt, owner, outcome, reg)
  if key == '' then return end
  local marks = ROOT .. 'marks:' .. owner
  local before = call('HGET', MARKS, key)
  if before then dropMark(key, unpackMessage(before)[1]) end
  local held = call('ZCARD', marks)
  if before and call('ZSCORE', marks, key) then held = held - 1 end
  local excess = held + 1 - MAX_MARKS
  if excess > 0 then
    for _, old in ipairs(call('ZRANGE', marks, 0, excess - 1)) do dropMark(old, owner) end
  end
  local message = { owner, fingerprint, tonumber(expiresAt), outcome }
  if reg then
    message[5], message[6], message[7] = reg.id, reg.createdAt, reg.expiresAt
  end
  write('HSET', MARKS, key, pack(message))
  write('ZADD', MARK_LEASES, expiresAt, key)
  write('ZADD', marks, expiresAt, key)
end

-- accounts -----------------------------------------------------------------------------------------------------

local PASS_KINDS = { 'session', 'link', 'ticket' }

local function endPasses(one)
  for _, kind in ipairs(PASS_KINDS) do
    local own = ROOT .. 'passes:' .. kind .. ':' .. one.id
    for _, pass in ipairs(call('ZRANGE', own, 0, -1)) do
      write('HDEL', PASSES, pass)
      write('ZREM', PASS_LEASES, pass)
      erased = true
    end
    write('DEL', own)
  end
end

local function changeSecret(one, secret)
  write('HDEL', SECRETS, one.secret)
  write('HSET', SECRETS, secret, one.id)
  one.secret = secret
  one.changed = true
end

function steps.createAccount()
  local id, region, services, perAccount, suspended, createdAt, secret = unpack(A, 1, 7)
  local key, fingerprint, markExpiresAt, nowMs = A[8], A[9], A[10], tonumber(A[11])
  local first = findMark(key, fingerprint, nowMs)
  if first == 'key-reused' then return { 'read', 'key-reused' } end
  local one = first and account(first.account)
  if one then
    changeSecret(one, secret)
    return done('repeated', accountReply(one))
  end
  if account(id) then return { 'fault', 'EXISTS' } end
  one = {
    id = id, region = region, services = services, perAccount = tonumber(perAccount), suspended = suspended == '1',
    createdAt = createdAt, secret = secret, ipv4 = 0, ipv6 = 0, tokens = 0, hostnames = 0,
    regs = {}, ids = {}, changedRegs = {}, changed = true, isWhole = true,
  }
  accounts[id] = one
  write('ZADD', ACCOUNTS, 0, id)
  write('HSET', SECRETS, secret, id)
  keepMark(key, fingerprint, markExpiresAt, id, 'created')
  return done('created', accountReply(one))
end

function steps.getAccount()
  local one = account(A[1])
  return { 'read', one and accountReply(one) or false }
end

function steps.listAccounts()
  local from = A[1] == '' and '-' or '(' .. A[1]
  local list = {}
  for _, id in ipairs(call('ZRANGEBYLEX', ACCOUNTS, from, '+', 'LIMIT', 0, A[2])) do
    list[#list + 1] = accountReply(account(id))
  end
  return { 'read', list }
end

function steps.findAccountBySecret()
  local id = call('HGET', SECRETS, A[1])
  local one = id and account(id)
  return { 'read', one and { accountReply(one), one.secret } or false }
end

function steps.updateAccount()
  local one = account(A[1])
  if not one then return { 'read', false } end
  local wasLive = not one.suspended
  if A[2] ~= '' then one.region = A[2] end
  if A[3] ~= '' then one.services = A[3] end
  if A[4] ~= '' then one.perAccount = tonumber(A[4]) end
  if A[5] ~= '' then one.suspended = A[5] == '1' end
  one.changed = true
  local isLive = not one.suspended
  if wasLive ~= isLive or (isLive and (A[2] ~= '' or A[3] ~= '')) then
    for _, reg in ipairs(registrations(one)) do
      local other = otherFamily(one, reg.prefix)
      if wasLive == isLive then touch(reg.prefix)
      elseif isLive then hold(reg.prefix, one.id, reg.renewal, other)
      else release(reg.prefix, one.id, other) end
    end
  end
  return done(accountReply(one))
end

function steps.setSecret()
  local one = account(A[1])
  if not one then return { 'read', 0 } end
  endPasses(one)
  changeSecret(one, A[2])
  return done(1)
end

function steps.deleteAccount()
  local one = account(A[1])
  if not one then return { 'read', 0 } end
  local key = accountKey(one.id)
  for _, reg in ipairs(registrations(one)) do
    if not one.suspended then release(reg.prefix, one.id, otherFamily(one, reg.prefix)) end
    write('ZREM', LEASES, reg.prefix .. one.id)
  end
  for _, token in ipairs(tagged(one, 't:')) do write('HDEL', TOKENS, token.value[2]) end
  for _, name in ipairs(tagged(one, 'h:')) do write('ZREM', DUE, pack({ one.id, name.id })) end
  endPasses(one)
  local marks = ROOT .. 'marks:' .. one.id
  for _, mark in ipairs(call('ZRANGE', marks, 0, -1)) do
    write('HDEL', MARKS, mark)
    write('ZREM', MARK_LEASES, mark)
  end
  write('DEL', marks)
  write('HDEL', SECRETS, one.secret)
  write('ZREM', ACCOUNTS, one.id)
  write('DEL', key)
  accounts[one.id] = false
  erased = true
  return done(1)
end

function steps.readAccount()
  local one = account(A[1])
  if not one then return { 'read', false } end
  local regs, tokens, names, sessions = {}, {}, {}, {}
  for _, reg in ipairs(registrations(one)) do regs[#regs + 1] = registrationReply(reg) end
  for _, token in ipairs(tagged(one, 't:')) do
    tokens[#tokens + 1] = tokenReply(token.id, token.value)
  end
  for _, name in ipairs(tagged(one, 'h:')) do
    names[#names + 1] = hostnameReply(name.id, name.value)
  end
  for _, pass in ipairs(call('ZRANGE', ROOT .. 'passes:session:' .. one.id, 0, -1)) do
    local m = unpackMessage(call('HGET', PASSES, pass))
    sessions[#sessions + 1] = { m[2], m[3] }
  end
  return { 'read', { accountReply(one), regs, tokens, names, sessions } }
end

-- registrations ------------------------------------------------------------------------------------------------

-- The account's first registration of a family, and its last one, change the entries of its other family.
local function countFamily(one, family, by)
  local field = family == 4 and 'ipv4' or 'ipv6'
  one[field] = one[field] + by
  one.changed = true
  if one.suspended or one[field] ~= (by == 1 and 1 or 0) then return end
  for _, reg in ipairs(registrations(one)) do
    if familyOf(reg.prefix) ~= family then shiftOthers(reg.prefix, by) end
  end
end

local function remove(one, reg)
  dropRegistration(one, reg)
  erased = true
  if not one.suspended then release(reg.prefix, one.id, otherFamily(one, reg.prefix)) end
  countFamily(one, familyOf(reg.prefix), -1)
end

local function add(one, prefix, id, source, label, nowMs, expiresAt)
  local reg = {
    prefix = prefix, id = id, number = nextOf('number'), renewal = nextOf('renewal'), createdAt = nowMs,
    expiresAt = expiresAt, source = source, label = label,
  }
  putRegistration(one, reg)
  countFamily(one, familyOf(prefix), 1)
  if not one.suspended then hold(prefix, one.id, reg.renewal, otherFamily(one, prefix)) end
  return reg
end

local function renew(one, reg, expiresAt)
  reg.renewal = nextOf('renewal')
  reg.expiresAt = expiresAt
  putRegistration(one, reg)
  if not one.suspended then renewHolder(reg.prefix, one.id, reg.renewal) end
end

-- The registrations that go so that one more fits, the oldest renewal first; nil if none may.
local function makeRoom(one, nowMs, replaceOldest)
  local excess = one.ipv4 + one.ipv6 + 1 - one.perAccount
  if excess <= 0 then return {} end
  local all = registrations(one)
  table.sort(all, function(a, b) return a.renewal < b.renewal end)
  local leaving, valid = {}, {}
  for _, reg in ipairs(all) do
    if reg.expiresAt <= nowMs then leaving[#leaving + 1] = reg else valid[#valid + 1] = reg end
  end
  if #leaving >= excess then return leaving end
  if not replaceOldest then return nil end
  local missing = excess - #leaving
  for index = 1, math.min(missing, #valid) do leaving[#leaving + 1] = valid[index] end
  return leaving
end

-- Registrations of the prefix's family that have one of the labels go: the name has moved. Whether one went.
local function moveLabels(one, prefix, labels)
  if #labels == 0 then return false end
  local moved = false
  for _, label in ipairs(labels) do
    for _, reg in ipairs(registrations(one)) do
      if reg.label == label and reg.prefix ~= prefix and familyOf(reg.prefix) == familyOf(prefix) then
        remove(one, reg)
        moved = true
      end
    end
  end
  return moved
end

function steps.register()
  local accountId, id, prefix, hasLabel, label, source, replace = unpack(A, 1, 7)
  local nowMs, expiresAt = tonumber(A[8]), tonumber(A[9])
  local key, fingerprint, markExpiresAt = A[10], A[11], A[12]
  local labels = {}
  for index = 13, #A do labels[#labels + 1] = A[index] end
  local one = account(accountId)
  if not one then return { 'read', 'no-account' } end
  local first = findMark(key, fingerprint, nowMs)
  if first == 'key-reused' then return { 'read', 'key-reused' } end
  -- hasLabel: 0 keep what there is, 1 none, 2 `label`.
  local newLabel = hasLabel == '2' and label or false
  if first then
    local reg = registrationById(one, first.id) or {
      id = first.id, prefix = prefix, createdAt = first.createdAt, expiresAt = first.expiresAt, source = source,
      label = newLabel,
    }
    return { 'read', first.outcome, registrationReply(reg), false, first.outcome == 'created' and 1 or 0 }
  end
  local moved = moveLabels(one, prefix, labels)
  local reg = registration(one, prefix)
  local outcome, replaced, changed = 'renewed', false, moved
  if reg then
    if hasLabel ~= '0' and reg.label ~= newLabel then
      reg.label = newLabel
      changed = true
    end
    renew(one, reg, expiresAt)
  else
    local leaving = makeRoom(one, nowMs, replace == '1')
    if not leaving then return { 'read', 'too-many', one.perAccount } end
    for _, old in ipairs(leaving) do
      if not replaced and old.expiresAt > nowMs then replaced = registrationReply(old) end
      remove(one, old)
    end
    reg = add(one, prefix, id, source, newLabel, nowMs, expiresAt)
    outcome, changed = 'created', true
  end
  keepMark(key, fingerprint, markExpiresAt, one.id, outcome, reg)
  return done(outcome, registrationReply(reg), replaced, changed and 1 or 0)
end

function steps.removeRegistration()
  local one = account(A[1])
  local reg = one and registrationById(one, A[2])
  if not reg then return { 'read', 0 } end
  remove(one, reg)
  return done(1)
end

local FORGET_LIMIT = 1000

function steps.expireLeases()
  local members = call('ZRANGEBYSCORE', LEASES, '-inf', A[1], 'LIMIT', 0, A[2])
  for _, member in ipairs(members) do
    local family, length = string.byte(member, 1, 2)
    local width = family == 4 and 4 or (length <= 64 and 8 or 16)
    local one = account(string.sub(member, 3 + width))
    remove(one, registration(one, string.sub(member, 1, 2 + width)))
  end
  local isMore = #members > 0
  for _, key in ipairs(call('ZRANGEBYSCORE', MARK_LEASES, '-inf', A[1], 'LIMIT', 0, FORGET_LIMIT)) do
    dropMark(key, unpackMessage(call('HGET', MARKS, key))[1])
    isMore = true
  end
  for _, pass in ipairs(call('ZRANGEBYSCORE', PASS_LEASES, '-inf', A[1], 'LIMIT', 0, FORGET_LIMIT)) do
    local owner = unpackMessage(call('HGET', PASSES, pass))[1]
    write('HDEL', PASSES, pass)
    write('ZREM', PASS_LEASES, pass)
    write('ZREM', ROOT .. 'passes:' .. string.match(pass, '^%a+') .. ':' .. owner, pass)
    isMore = true
  end
  if not isMore then return { 'read', 0 } end
  return done(#members)
end

-- passes, update tokens, host names ----------------------------------------------------------------------------

local function livePass(kind, hash, nowMs)
  local pass = kind .. ':' .. hash
  local bytes = call('HGET', PASSES, pass)
  if not bytes then return nil end
  local m = unpackMessage(bytes)
  local one = m[3] > nowMs and account(m[1])
  if not one then return nil end
  return { pass = pass, account = one, createdAt = m[2], expiresAt = m[3], own = ROOT .. 'passes:' .. kind .. ':' .. m[1] }
end

local function dropPass(pass, own)
  write('HDEL', PASSES, pass)
  write('ZREM', PASS_LEASES, pass)
  write('ZREM', own, pass)
  erased = true
end

local function writePass(pass, own, owner, createdAt, expiresAt)
  write('HSET', PASSES, pass, pack({ owner, createdAt, expiresAt }))
  write('ZADD', own, text(expiresAt), pass)
  write('ZADD', PASS_LEASES, text(expiresAt), pass)
end

function steps.addPass()
  local kind, id, hash, nowMs, expiresAt, limit = A[1], A[2], A[3], tonumber(A[4]), tonumber(A[5]), tonumber(A[6])
  local one = account(id)
  if not one then return { 'read', 0 } end
  local own = ROOT .. 'passes:' .. kind .. ':' .. id
  local excess = call('ZCARD', own) + 1 - limit
  if excess > 0 then
    for _, pass in ipairs(call('ZRANGE', own, 0, excess - 1)) do dropPass(pass, own) end
  end
  writePass(kind .. ':' .. hash, own, id, nowMs, expiresAt)
  return done(1)
end

function steps.findPass()
  local pass = livePass(A[1], A[2], tonumber(A[3]))
  return { 'read', pass and { accountReply(pass.account), A[2], pass.expiresAt } or false }
end

function steps.renewPass()
  local pass = livePass(A[1], A[2], tonumber(A[3]))
  if not pass then return { 'read', 0 } end
  writePass(pass.pass, pass.own, pass.account.id, pass.createdAt, tonumber(A[4]))
  return done(1)
end

function steps.takePass()
  local pass = livePass(A[1], A[2], tonumber(A[3]))
  if not pass then return { 'read', false } end
  dropPass(pass.pass, pass.own)
  return done({ accountReply(pass.account), A[2] })
end

function steps.removePass()
  local pass = A[1] .. ':' .. A[2]
  local bytes = call('HGET', PASSES, pass)
  if not bytes then return { 'read', 0 } end
  dropPass(pass, ROOT .. 'passes:' .. A[1] .. ':' .. unpackMessage(bytes)[1])
  return done(1)
end

local function writeToken(one, id, m)
  write('HSET', accountKey(one.id), 't:' .. id, pack(m))
  write('HSET', TOKENS, m[2], one.id)
end

function steps.addUpdateToken()
  local id, label, createdAt, hash, limit = A[2], A[3], tonumber(A[4]), A[5], tonumber(A[6])
  local one = account(A[1])
  if not one then return { 'read', 'no-account' } end
  local first = findMark(A[7], A[8], createdAt)
  if first == 'key-reused' then return { 'read', 'key-reused' } end
  local bytes = first and call('HGET', accountKey(one.id), 't:' .. first.id)
  if bytes then
    local m = unpackMessage(bytes)
    write('HDEL', TOKENS, m[2])
    m[2] = hash
    writeToken(one, first.id, m)
    return done('repeated', tokenReply(first.id, m))
  end
  if one.tokens >= limit then return { 'read', 'too-many' } end
  one.tokens = one.tokens + 1
  one.changed = true
  local m = { nextOf('number'), hash, label, createdAt }
  writeToken(one, id, m)
  keepMark(A[7], A[8], A[9], one.id, 'created', { id = id })
  return done('created', tokenReply(id, m))
end

function steps.removeUpdateToken()
  local one = account(A[1])
  local bytes = one and call('HGET', accountKey(one.id), 't:' .. A[2])
  if not bytes then return { 'read', 0 } end
  one.tokens = one.tokens - 1
  one.changed = true
  write('HDEL', TOKENS, unpackMessage(bytes)[2])
  write('HDEL', accountKey(one.id), 't:' .. A[2])
  erased = true
  return done(1)
end

function steps.findAccountByUpdateToken()
  local id = call('HGET', TOKENS, A[1])
  local one = id and account(id)
  return { 'read', one and { accountReply(one), A[1] } or false }
end

local function writeHostname(one, id, m)
  write('HSET', accountKey(one.id), 'h:' .. id, pack(m))
  write('ZADD', DUE, text(m[6]), pack({ one.id, id }))
end

function steps.addHostname()
  local one = account(A[1])
  if not one then return { 'read', 'no-account' } end
  local held = tagged(one, 'h:')
  for _, name in ipairs(held) do
    if name.value[2] == A[3] then return { 'read', 'exists', hostnameReply(name.id, name.value) } end
  end
  if #held >= tonumber(A[5]) then return { 'read', 'too-many' } end
  local nowMs = tonumber(A[4])
  local m = { nextOf('number'), A[3], 'waiting', nowMs, false, nowMs }
  one.hostnames = one.hostnames + 1
  one.changed = true
  writeHostname(one, A[2], m)
  return done('created', hostnameReply(A[2], m))
end

local function madeBy(one, hostname)
  local list = {}
  for _, reg in ipairs(registrations(one)) do
    if reg.label == hostname and reg.source == 'hostname' then list[#list + 1] = reg end
  end
  return list
end

local function hostnameOf(one, id)
  local bytes = one and call('HGET', accountKey(one.id), 'h:' .. id)
  return bytes and unpackMessage(bytes) or nil
end

function steps.removeHostname()
  local one = account(A[1])
  local m = hostnameOf(one, A[2])
  if not m then return { 'read', 0 } end
  for _, reg in ipairs(madeBy(one, m[2])) do remove(one, reg) end
  one.hostnames = one.hostnames - 1
  one.changed = true
  write('HDEL', accountKey(one.id), 'h:' .. A[2])
  write('ZREM', DUE, pack({ one.id, A[2] }))
  erased = true
  return done(1)
end

function steps.dueHostnames()
  local list = {}
  for _, member in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', A[1], 'LIMIT', 0, A[2])) do
    local who = unpackMessage(member)
    list[#list + 1] = { who[1], hostnameReply(who[2], hostnameOf(account(who[1]), who[2])) }
  end
  return { 'read', list }
end

function steps.settleHostname()
  local accountId, id, state = A[1], A[2], A[3]
  local nowMs, expiresAt, renewBefore, nextAt = tonumber(A[4]), tonumber(A[5]), tonumber(A[6]), tonumber(A[7])
  local families, count = A[8], tonumber(A[9])
  local one = account(accountId)
  local m = hostnameOf(one, id)
  if not m then return { 'read', 0 } end
  local isWhole = true
  local has = {}
  for index = 1, count do has[A[8 + 2 * index]] = true end
  for _, reg in ipairs(madeBy(one, m[2])) do
    -- A prefix begins with its family.
    local isKnown = families:find(text(reg.prefix:byte(1)), 1, true)
    if isKnown and not has[reg.prefix] then remove(one, reg) end
  end
  for index = 1, count do
    local prefix = A[8 + 2 * index]
    local reg = registration(one, prefix)
    if reg then
      if reg.expiresAt < renewBefore then renew(one, reg, expiresAt) end
    else
      local leaving = makeRoom(one, nowMs, false)
      if leaving then
        for _, old in ipairs(leaving) do remove(one, old) end
        add(one, prefix, A[9 + 2 * index], 'hostname', m[2], nowMs, expiresAt)
      else
        isWhole = false
      end
    end
  end
  writeHostname(one, id, { m[1], m[2], isWhole and state or 'too-many', m[4], nowMs, nextAt })
  return done(1)
end

-- the log ------------------------------------------------------------------------------------------------------

function steps.changesSince()
  local from = tonumber(A[1])
  if from < meta.trimmed or from > meta.seq then return { 'read', 'gap' } end
  local changes = {}
  for _, item in ipairs(call('XRANGE', LOG, text(from + 1) .. '-0', '+', 'COUNT', A[2])) do
    changes[#changes + 1] = item[2][2]
  end
  return { 'read', changes, meta.seq, text(meta.digestA) .. '.' .. text(meta.digestB) }
end

function steps.state()
  return { 'read', meta.epoch, meta.seq }
end
