-- Moving a store: accounts with all that belongs to them, out and in (transfer/record.ts). While an import goes on
-- (`importing` in meta), the store does nothing else.

local function hex(bytes)
  return (string.gsub(bytes, '.', function(one) return string.format('%02x', string.byte(one)) end))
end

local function bytesOfHex(text)
  return (string.gsub(text, '..', function(pair) return string.char(tonumber(pair, 16)) end))
end

local function markReply(key)
  local m = unpackMessage(call('HGET', MARKS, key))
  return { hex(key), hex(m[2]), m[3], m[4], m[5] or false, m[6] or false, m[7] or false }
end

local function exportOf(one)
  local regs, tokens, names, passes, marks = {}, {}, {}, {}, {}
  for _, reg in ipairs(registrations(one)) do
    local reply = registrationReply(reg)
    reply[7] = reg.renewal
    regs[#regs + 1] = reply
  end
  for _, token in ipairs(tagged(one, 't:')) do
    tokens[#tokens + 1] = { token.id, hex(token.value[2]), token.value[3], token.value[4] }
  end
  for _, name in ipairs(tagged(one, 'h:')) do
    local reply = hostnameReply(name.id, name.value)
    reply[6] = name.value[6]
    names[#names + 1] = reply
  end
  for _, kind in ipairs(PASS_KINDS) do
    for _, pass in ipairs(call('ZRANGE', ROOT .. 'passes:' .. kind .. ':' .. one.id, 0, -1)) do
      local m = unpackMessage(call('HGET', PASSES, pass))
      passes[#passes + 1] = { kind, hex(string.sub(pass, #kind + 2)), m[2], m[3] }
    end
  end
  for _, key in ipairs(call('ZRANGE', ROOT .. 'marks:' .. one.id, 0, -1)) do marks[#marks + 1] = markReply(key) end
  return { accountReply(one), hex(one.secret), regs, tokens, names, passes, marks }
end

function steps.exportAccounts()
  local list = {}
  local from = A[1] == '' and '-' or '(' .. A[1]
  for _, id in ipairs(call('ZRANGEBYLEX', ACCOUNTS, from, '+', 'LIMIT', 0, A[2])) do
    list[#list + 1] = exportOf(account(id))
  end
  return { 'read', list }
end

-- 'begun'; 'again' where an import was not finished: what it left is to be deleted first; or 'not-empty'.
function steps.beginImport()
  if meta.importing then return { 'read', 'again' } end
  if call('EXISTS', ACCOUNTS) == 1 then return { 'read', 'not-empty' } end
  call('HSET', META, 'importing', 1)
  return { 'read', 'begun' }
end

function steps.endImport()
  call('HDEL', META, 'importing')
  return { 'read', 1 }
end

local function orFalse(value)
  if value == nil or value == cjson.null then return false end
  return value
end

-- An account as JSON, its prefixes as hexadecimal keys; `region` and `services` as they are stored.
function steps.importAccount()
  local r = cjson.decode(A[1])
  local secret = bytesOfHex(r.secretHash)
  local there = account(r.id)
  if there then
    -- A repeat of a call whose answer was lost.
    if there.secret == secret then return { 'read', 1 } end
    return { 'fault', 'EXISTS' }
  end
  local one = {
    id = r.id, region = r.region, services = r.services, perAccount = r.perAccount, suspended = r.suspended,
    createdAt = text(r.createdAtMs), secret = secret, ipv4 = 0, ipv6 = 0, tokens = #r.updateTokens,
    hostnames = #r.hostnames, regs = {}, ids = {}, changedRegs = {}, changed = true, isWhole = true,
  }
  accounts[one.id] = one
  write('ZADD', ACCOUNTS, 0, one.id)
  write('HSET', SECRETS, secret, one.id)
  for _, reg in ipairs(r.registrations) do
    local prefix = bytesOfHex(reg.prefix)
    putRegistration(one, {
      prefix = prefix, id = reg.id, number = nextOf('number'), renewal = reg.renewal, createdAt = reg.createdAtMs,
      expiresAt = reg.expiresAtMs, source = reg.source, label = orFalse(reg.label),
    })
    local field = familyOf(prefix) == 4 and 'ipv4' or 'ipv6'
    one[field] = one[field] + 1
    if reg.renewal > counter('renewal') then
      counters.renewal = reg.renewal
      counters.changed.renewal = true
    end
  end
  if not one.suspended then
    for _, reg in ipairs(registrations(one)) do hold(reg.prefix, one.id, reg.renewal, otherFamily(one, reg.prefix)) end
  end
  for _, token in ipairs(r.updateTokens) do
    writeToken(one, token.id, { nextOf('number'), bytesOfHex(token.hash), token.label, token.createdAtMs })
  end
  for _, name in ipairs(r.hostnames) do
    writeHostname(one, name.id, {
      nextOf('number'), name.hostname, name.state, name.createdAtMs, orFalse(name.checkedAtMs), name.nextAtMs,
    })
  end
  for _, pass in ipairs(r.passes) do
    local own = ROOT .. 'passes:' .. pass.kind .. ':' .. one.id
    writePass(pass.kind .. ':' .. bytesOfHex(pass.hash), own, one.id, pass.createdAtMs, pass.expiresAtMs)
  end
  for _, mark in ipairs(r.marks) do
    local message = { one.id, bytesOfHex(mark.fingerprint), mark.expiresAtMs, mark.outcome }
    if orFalse(mark.madeId) then message[5] = mark.madeId end
    if orFalse(mark.createdAtMs) then
      message[6], message[7] = mark.createdAtMs, mark.leaseExpiresAtMs
    end
    local key = bytesOfHex(mark.key)
    write('HSET', MARKS, key, pack(message))
    write('ZADD', MARK_LEASES, text(mark.expiresAtMs), key)
    write('ZADD', ROOT .. 'marks:' .. one.id, text(mark.expiresAtMs), key)
  end
  return done(1)
end
