-- Sessions, sign-in links and tickets.

local CREDENTIAL_KINDS = { 'session', 'link', 'ticket' }

local function credentialsOf(kind, owner)
  return ROOT .. 'passes:' .. kind .. ':' .. owner
end

-- Finds a valid credential by args.kind and args.hash.
local function validCredential()
  local field = args.kind .. ':' .. args.hash
  local bytes = call('HGET', CREDENTIALS, field)
  if not bytes then return nil end
  local m = unpackMessage(bytes)
  local one = m[3] > numberArg('nowMs') and account(m[1])
  if not one then return nil end
  return { field = field, account = one, createdAt = m[2], expiresAt = m[3], set = credentialsOf(args.kind, m[1]) }
end

local function dropCredential(field, set)
  write('HDEL', CREDENTIALS, field)
  write('ZREM', CREDENTIAL_LEASES, field)
  write('ZREM', set, field)
end

local function writeCredential(field, set, owner, createdAt, expiresAt)
  write('HSET', CREDENTIALS, field, pack({ owner, createdAt, expiresAt }))
  write('ZADD', set, text(expiresAt), field)
  write('ZADD', CREDENTIAL_LEASES, text(expiresAt), field)
end

-- Ends all credentials of an account.
local function endCredentials(one)
  for _, kind in ipairs(CREDENTIAL_KINDS) do
    local set = credentialsOf(kind, one.id)
    for _, field in ipairs(call('ZRANGE', set, 0, -1)) do
      write('HDEL', CREDENTIALS, field)
      write('ZREM', CREDENTIAL_LEASES, field)
      erased = true
    end
    write('DEL', set)
  end
end

function steps.addCredential()
  local owner = args.accountId
  if not account(owner) then return { 'read', 0 } end
  local set = credentialsOf(args.kind, owner)
  local excess = call('ZCARD', set) + 1 - numberArg('limit')
  if excess > 0 then
    for _, field in ipairs(call('ZRANGE', set, 0, excess - 1)) do dropCredential(field, set) end
    erased = true
  end
  writeCredential(args.kind .. ':' .. args.hash, set, owner, numberArg('nowMs'), numberArg('expiresAtMs'))
  return done(1)
end

function steps.findCredential()
  local found = validCredential()
  if not found then return { 'read', false } end
  return {
    'read', { 'account', accountReply(found.account), 'hash', args.hash, 'expiresAtMs', found.expiresAt },
  }
end

function steps.renewCredential()
  local found = validCredential()
  if not found then return { 'read', 0 } end
  writeCredential(found.field, found.set, found.account.id, found.createdAt, numberArg('expiresAtMs'))
  return done(1)
end

function steps.redeemCredential()
  local found = validCredential()
  if not found then return { 'read', false } end
  dropCredential(found.field, found.set)
  erased = true
  return done({ 'account', accountReply(found.account), 'hash', args.hash })
end

function steps.removeCredential()
  local field = args.kind .. ':' .. args.hash
  local bytes = call('HGET', CREDENTIALS, field)
  if not bytes then return { 'read', 0 } end
  dropCredential(field, credentialsOf(args.kind, unpackMessage(bytes)[1]))
  erased = true
  return done(1)
end
