-- Update tokens. A token is packed as number, hash, label, createdAt.

local function tokenReply(id, m)
  return { 'id', id, 'label', m[3], 'createdAtMs', dayOf(m[4]) }
end

local function writeToken(one, id, m)
  m[4] = dayOf(m[4])
  write('HSET', accountKey(one.id), 't:' .. id, pack(m))
  write('HSET', TOKENS, m[2], one.id)
end

function steps.addUpdateToken()
  local one = account(args.accountId)
  if not one then return { 'read', { 'outcome', 'no-account' } } end
  local first = findMark(numberArg('createdAtMs'))
  if first == 'key-reused' then return { 'read', { 'outcome', 'key-reused' } } end
  local m = first and taggedValue(one, 't:', first.id)
  if m then
    write('HDEL', TOKENS, m[2])
    m[2] = args.hash
    writeToken(one, first.id, m)
    return done({ 'outcome', 'repeated', 'token', tokenReply(first.id, m) })
  end
  if one.tokens >= numberArg('limit') then return { 'read', { 'outcome', 'too-many' } } end
  one.tokens = one.tokens + 1
  one.changed = true
  m = { nextOf('number'), args.hash, args.label, numberArg('createdAtMs') }
  writeToken(one, args.id, m)
  keepMark(one.id, 'created', { id = args.id })
  return done({ 'outcome', 'created', 'token', tokenReply(args.id, m) })
end

local function dropToken(one, id, m)
  one.tokens = one.tokens - 1
  one.changed = true
  write('HDEL', TOKENS, m[2])
  write('HDEL', accountKey(one.id), 't:' .. id)
  erased = true
end

function steps.removeUpdateToken()
  local one = account(args.accountId)
  local m = taggedValue(one, 't:', args.id)
  if not m then return { 'read', 0 } end
  dropToken(one, args.id, m)
  return done(1)
end

function steps.findAccountByUpdateToken()
  local id = call('HGET', TOKENS, args.hash)
  local one = id and account(id)
  return { 'read', one and { 'account', accountReply(one), 'hash', args.hash } or false }
end
