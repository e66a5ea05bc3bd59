-- Accounts.

local function changeSecret(one, secret)
  write('HDEL', SECRETS, one.secret)
  write('HSET', SECRETS, secret, one.id)
  one.secret = secret
  one.changed = true
end

function steps.createAccount()
  local first = findMark(numberArg('nowMs'))
  if first == 'key-reused' then return { 'read', { 'outcome', 'key-reused' } } end
  local one = first and account(first.account)
  if one then
    changeSecret(one, args.secretHash)
    return done({ 'outcome', 'repeated', 'account', accountReply(one) })
  end
  if account(args.id) then return { 'fault', 'EXISTS' } end
  one = putNewAccount({
    id = args.id, region = args.region, services = args.services, perAccount = numberArg('perAccount'),
    suspended = args.suspended ~= nil, createdAt = text(dayOf(numberArg('createdAtMs'))), secret = args.secretHash, tokens = 0,
    hostnames = 0, activeAt = dayOf(numberArg('activeAtMs')), keep = args.keep ~= nil,
  })
  keepMark(one.id, 'created')
  return done({ 'outcome', 'created', 'account', accountReply(one) })
end

function steps.getAccount()
  local one = account(args.id)
  return { 'read', one and accountReply(one) or false }
end

function steps.listAccounts()
  local list = {}
  for _, id in ipairs(accountPage()) do list[#list + 1] = accountReply(account(id)) end
  return { 'read', list }
end

function steps.findAccountBySecret()
  local id = call('HGET', SECRETS, args.secretHash)
  local one = id and account(id)
  return { 'read', one and { 'account', accountReply(one), 'secretHash', one.secret } or false }
end

function steps.updateAccount()
  local one = account(args.id)
  if not one then return { 'read', false } end
  local wasLive = not one.suspended
  one.region = args.region or one.region
  one.services = args.services or one.services
  one.perAccount = numberArg('perAccount') or one.perAccount
  if args.keep then one.keep = args.keep == '1' end
  if args.suspended then one.suspended = args.suspended == '1' end
  one.changed = true
  local isLive = not one.suspended
  if wasLive ~= isLive or (isLive and (args.region or args.services)) then
    for _, reg in ipairs(registrations(one)) do
      if wasLive == isLive then touch(reg.prefix)
      elseif isLive then hold(one, reg)
      else release(one, reg) end
    end
  end
  return done(accountReply(one))
end

function steps.setSecret()
  local one = account(args.id)
  if not one then return { 'read', 0 } end
  endCredentials(one)
  for _, token in ipairs(tagged(one, 't:')) do dropToken(one, token.id, token.value) end
  for _, name in ipairs(tagged(one, 'h:')) do dropHostname(one, name.id, name.value) end
  for _, name in ipairs(tagged(one, 'p:')) do dropPrivateName(one, name.id, name.value) end
  changeSecret(one, args.secretHash)
  return done(1)
end

-- Erases an account; the caller calls `done`.
local function eraseAccount(one)
  for _, reg in ipairs(registrations(one)) do
    if not one.suspended then release(one, reg) end
    write('ZREM', LEASES, reg.prefix .. one.id)
  end
  for _, token in ipairs(tagged(one, 't:')) do write('HDEL', TOKENS, token.value[2]) end
  for _, name in ipairs(tagged(one, 'h:')) do write('ZREM', DUE, pack({ one.id, name.id })) end
  for _, name in ipairs(tagged(one, 'p:')) do write('HDEL', PRIVATE_NAMES, name.value[2]) end
  endCredentials(one)
  dropMarksOf(one.id)
  write('HDEL', SECRETS, one.secret)
  for _, key in ipairs({ ACCOUNTS, ACTIVITY, LAPSES }) do write('ZREM', key, one.id) end
  write('DEL', accountKey(one.id))
  accounts[one.id] = false
  erased = true
end

function steps.deleteAccount()
  local one = account(args.id)
  if not one then return { 'read', 0 } end
  eraseAccount(one)
  return done(1)
end

-- args.lapsedDays is missing where no account is erased. `lapses` holds the day of erasure.
function steps.noticeLapses()
  local lapsedDays = numberArg('lapsedDays')
  if not lapsedDays then
    call('DEL', LAPSES)
    return { 'read', 0 }
  end
  local first = dayOf(numberArg('nowMs')) + LAPSE_NOTICE_DAYS * DAY_MS
  local lapse = lapsedDays * DAY_MS
  -- `activity` orders accounts by their last active day: those that have a notice come first.
  local noticed, offset = 0, 0
  while noticed < numberArg('limit') do
    local page = call('ZRANGEBYSCORE', ACTIVITY, '-inf', text(first - lapse), 'WITHSCORES', 'LIMIT', offset, 1000)
    for index = 1, #page, 2 do
      if noticed < numberArg('limit') and not call('ZSCORE', LAPSES, page[index]) then
        call('ZADD', LAPSES, text(math.max(tonumber(page[index + 1]) + lapse, first)), page[index])
        noticed = noticed + 1
      end
    end
    if #page < 2000 then break end
    offset = offset + 1000
  end
  return { 'read', noticed }
end

function steps.lapsingAccounts()
  local list = {}
  local page = call('ZRANGE', LAPSES, 0, numberArg('limit') - 1, 'WITHSCORES')
  for index = 1, #page, 2 do
    list[#list + 1] = { 'account', accountReply(account(page[index])), 'erasesAtMs', tonumber(page[index + 1]) }
  end
  return { 'read', list }
end

function steps.eraseLapsed()
  local lapse = numberArg('lapsedDays') * DAY_MS
  local today = dayOf(numberArg('nowMs'))
  local ids = {}
  for _, id in ipairs(call('ZRANGEBYSCORE', LAPSES, '-inf', text(today), 'LIMIT', 0, args.limit)) do
    local one = account(id)
    -- The time may have been raised since the notice.
    if one and one.activeAt + lapse > today then write('ZREM', LAPSES, id)
    elseif one then
      eraseAccount(one)
      ids[#ids + 1] = id
    end
  end
  return done(ids)
end

function steps.readAccount()
  local one = account(args.id)
  if not one then return { 'read', false } end
  local regs, tokens, names, privateNames = {}, {}, {}, {}
  for _, reg in ipairs(registrations(one)) do regs[#regs + 1] = registrationReply(reg) end
  for _, token in ipairs(tagged(one, 't:')) do
    tokens[#tokens + 1] = tokenReply(token.id, token.value)
  end
  for _, name in ipairs(tagged(one, 'h:')) do
    names[#names + 1] = hostnameReply(name.id, name.value)
  end
  for _, name in ipairs(tagged(one, 'p:')) do
    privateNames[#privateNames + 1] = privateNameReply(name.id, name.value)
  end
  local function timesOf(kind)
    local times = {}
    for _, field in ipairs(call('ZRANGE', credentialsOf(kind, one.id), 0, -1)) do
      local m = unpackMessage(call('HGET', CREDENTIALS, field))
      times[#times + 1] = { 'createdAtMs', m[2], 'expiresAtMs', m[3] }
    end
    return times
  end
  local marks = {}
  for _, key in ipairs(call('ZRANGE', ROOT .. 'marks:' .. one.id, 0, -1)) do
    marks[#marks + 1] = unpackMessage(call('HGET', MARKS, key))[3]
  end
  return {
    'read',
    {
      'account', accountReply(one), 'registrations', regs, 'updateTokens', tokens, 'hostnames', names,
      'privateNames', privateNames, 'sessions', timesOf('session'), 'links', timesOf('link'),
      'tickets', timesOf('ticket'), 'marks', marks,
    },
  }
end

-- Rewrites the times of a page of accounts that an earlier release kept to the millisecond. Replies the last account of
-- the page, '' on the last page.
function steps.roundTimes()
  local function hasTime(ms) return ms and ms % DAY_MS > 0 end
  local ids, isOld = accountPage(), false
  for _, id in ipairs(ids) do
    local one = account(id)
    if one and hasTime(tonumber(call('HGET', accountKey(id), 'createdAt'))) then one.changed, erased = true, true end
    -- Releases without it did not keep when an account was last used: it counts from now.
    if one and not one.activeAt then one.activeAt, one.changed, isOld = dayOf(time()), true, true end
    for _, reg in ipairs(one and registrations(one) or {}) do
      if reg.hasTime then
        putRegistration(one, reg)
        erased = true
      end
    end
    for tag, rewrite in pairs({ ['t:'] = writeToken, ['h:'] = writeHostname, ['p:'] = writePrivateName }) do
      for _, held in ipairs(one and tagged(one, tag) or {}) do
        if hasTime(held.value[4]) or (tag == 'h:' and hasTime(held.value[5])) then
          rewrite(one, held.id, held.value)
          erased = true
        end
      end
    end
  end
  if erased or isOld then flush({}) end
  return { 'read', ids[numberArg('limit')] or '' }
end
