-- Export and import of accounts with all that belongs to them (transfer/account-transfer.ts). During an import
-- (`importing` in meta) the store does nothing else.

local function hex(bytes)
  return (string.gsub(bytes, '.', function(one) return string.format('%02x', string.byte(one)) end))
end

local function bytesOfHex(text)
  return (string.gsub(text, '..', function(pair) return string.char(tonumber(pair, 16)) end))
end

local function append(list, ...)
  for _, value in ipairs({ ... }) do list[#list + 1] = value end
  return list
end

local function markReply(key)
  local m = unpackMessage(call('HGET', MARKS, key))
  return {
    'key', hex(key), 'fingerprint', hex(m[2]), 'expiresAtMs', m[3], 'outcome', m[4], 'madeId', m[5] or false,
    'createdAtMs', m[6] or false, 'leaseExpiresAtMs', m[7] or false,
  }
end

local function exportOf(one)
  local regs, tokens, names, privateNames, credentials, marks = {}, {}, {}, {}, {}, {}
  for _, reg in ipairs(registrations(one)) do
    regs[#regs + 1] = append(registrationReply(reg), 'renewal', reg.renewal)
  end
  for _, token in ipairs(tagged(one, 't:')) do
    tokens[#tokens + 1] = append(tokenReply(token.id, token.value), 'hash', hex(token.value[2]))
  end
  for _, name in ipairs(tagged(one, 'h:')) do
    local barred = {}
    for _, prefix in ipairs(name.value[7] or {}) do barred[#barred + 1] = hex(prefix) end
    names[#names + 1] = append(hostnameReply(name.id, name.value), 'nextAtMs', name.value[6], 'barred', barred)
  end
  for _, name in ipairs(tagged(one, 'p:')) do
    privateNames[#privateNames + 1] = append(privateNameReply(name.id, name.value), 'hash', hex(name.value[2]))
  end
  for _, kind in ipairs(CREDENTIAL_KINDS) do
    for _, field in ipairs(call('ZRANGE', credentialsOf(kind, one.id), 0, -1)) do
      local m = unpackMessage(call('HGET', CREDENTIALS, field))
      credentials[#credentials + 1] = {
        'kind', kind, 'hash', hex(string.sub(field, #kind + 2)), 'createdAtMs', m[2], 'expiresAtMs', m[3],
      }
    end
  end
  for _, key in ipairs(call('ZRANGE', ROOT .. 'marks:' .. one.id, 0, -1)) do marks[#marks + 1] = markReply(key) end
  return {
    'account', accountReply(one), 'secretHash', hex(one.secret), 'registrations', regs, 'updateTokens', tokens,
    'hostnames', names, 'privateNames', privateNames, 'credentials', credentials, 'marks', marks,
  }
end

function steps.exportAccounts()
  local list = {}
  for _, id in ipairs(accountPage()) do list[#list + 1] = exportOf(account(id)) end
  return { 'read', list }
end

-- Replies 'begun'; 'again' after an unfinished import, whose accounts have to be deleted first; or 'not-empty'.
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

local function importRegistrations(one, list)
  for _, reg in ipairs(list) do
    local prefix = bytesOfHex(reg.prefix)
    putRegistration(one, {
      prefix = prefix, id = reg.id, number = nextOf('number'), renewal = reg.renewal, createdAt = reg.createdAtMs,
      expiresAt = reg.expiresAtMs, source = reg.source, label = orFalse(reg.label), evidence = reg.evidence,
    })
    local field = familyOf(prefix) == 4 and 'ipv4' or 'ipv6'
    one[field] = one[field] + 1
    if reg.renewal > counter('renewal') then setCounter('renewal', reg.renewal) end
  end
  if one.suspended then return end
  for _, reg in ipairs(registrations(one)) do hold(one, reg) end
end

local function importMarks(one, list)
  for _, mark in ipairs(list) do
    local message = { one.id, bytesOfHex(mark.fingerprint), mark.expiresAtMs, mark.outcome }
    if orFalse(mark.madeId) then message[5] = mark.madeId end
    if orFalse(mark.createdAtMs) then
      message[6], message[7] = dayOf(mark.createdAtMs), dayOf(mark.leaseExpiresAtMs)
    end
    writeMark(bytesOfHex(mark.key), one.id, message)
  end
end

-- Imports an account: JSON, prefixes as hexadecimal keys, `region` and `services` as they are stored.
function steps.importAccount()
  local r = cjson.decode(args.account)
  local secret = bytesOfHex(r.secretHash)
  local known = account(r.id)
  if known then
    -- The answer to the first call was lost.
    if known.secret == secret then return { 'read', 1 } end
    return { 'fault', 'EXISTS' }
  end
  local one = putNewAccount({
    id = r.id, region = r.region, services = r.services, perAccount = r.perAccount, suspended = r.suspended,
    createdAt = text(dayOf(r.createdAtMs)), secret = secret, tokens = #r.updateTokens, hostnames = #r.hostnames,
    activeAt = dayOf(orFalse(r.activeAtMs) or time()), keep = orFalse(r.keep),
  })
  importRegistrations(one, r.registrations)
  for _, token in ipairs(r.updateTokens) do
    writeToken(one, token.id, { nextOf('number'), bytesOfHex(token.hash), token.label, token.createdAtMs })
  end
  for _, name in ipairs(r.hostnames) do
    local barred = {}
    for _, prefix in ipairs(orFalse(name.barred) or {}) do barred[#barred + 1] = bytesOfHex(prefix) end
    writeHostname(one, name.id, {
      nextOf('number'), name.hostname, name.state, name.createdAtMs, orFalse(name.checkedAtMs), name.nextAtMs, barred,
    })
  end
  for _, name in ipairs(orFalse(r.privateNames) or {}) do
    writePrivateName(one, name.id, {
      nextOf('number'), bytesOfHex(name.hash), name.label, name.createdAtMs, name.homeOnly and 1 or 0,
      orFalse(name.ipv4), orFalse(name.ipv6),
    })
  end
  for _, given in ipairs(r.passes) do
    writeCredential(given.kind .. ':' .. bytesOfHex(given.hash), credentialsOf(given.kind, one.id), one.id,
      given.createdAtMs, given.expiresAtMs)
  end
  importMarks(one, r.marks)
  return done(1)
end
