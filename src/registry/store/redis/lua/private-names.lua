-- Private names. A name is packed as number, hash, label, createdAt, home only (0, 1), and for each family the id of the
-- registration that it made last, or false.

local function privateNameReply(id, m)
  return {
    'id', id, 'label', m[3], 'createdAtMs', dayOf(m[4]), 'homeOnly', m[5], 'ipv4', m[6] or false, 'ipv6', m[7] or false,
  }
end

local function writePrivateName(one, id, m)
  m[4] = dayOf(m[4])
  write('HSET', accountKey(one.id), 'p:' .. id, pack(m))
  write('HSET', PRIVATE_NAMES, m[2], pack({ one.id, id }))
end

function steps.addPrivateName()
  local one = account(args.accountId)
  if not one then return { 'read', { 'outcome', 'no-account' } } end
  local first = findMark(numberArg('createdAtMs'))
  if first == 'key-reused' then return { 'read', { 'outcome', 'key-reused' } } end
  local m = first and taggedValue(one, 'p:', first.id)
  if m then
    write('HDEL', PRIVATE_NAMES, m[2])
    m[2] = args.hash
    writePrivateName(one, first.id, m)
    return done({ 'outcome', 'repeated', 'name', privateNameReply(first.id, m) })
  end
  if #tagged(one, 'p:') >= numberArg('limit') then return { 'read', { 'outcome', 'too-many' } } end
  m = {
    nextOf('number'), args.hash, args.label, numberArg('createdAtMs'), args.homeOnly and 1 or 0, false, false,
  }
  writePrivateName(one, args.id, m)
  keepMark(one.id, 'created', { id = args.id })
  return done({ 'outcome', 'created', 'name', privateNameReply(args.id, m) })
end

function steps.changePrivateName()
  local one = account(args.accountId)
  local m = taggedValue(one, 'p:', args.id)
  if not m then return { 'read', false } end
  if args.hash then
    write('HDEL', PRIVATE_NAMES, m[2])
    m[2] = args.hash
    erased = true
  end
  m[3] = args.label or m[3]
  m[5] = numberArg('homeOnly') or m[5]
  writePrivateName(one, args.id, m)
  return done(privateNameReply(args.id, m))
end

local function heldByName(one, m, family)
  local id = m[family == 4 and 6 or 7]
  return id and registrationById(one, id) or nil
end

local function dropPrivateName(one, id, m)
  for _, family in ipairs({ 4, 6 }) do
    local reg = heldByName(one, m, family)
    if reg then remove(one, reg) end
  end
  write('HDEL', PRIVATE_NAMES, m[2])
  write('HDEL', accountKey(one.id), 'p:' .. id)
  erased = true
end

function steps.removePrivateName()
  local one = account(args.accountId)
  local m = taggedValue(one, 'p:', args.id)
  if not m then return { 'read', 0 } end
  dropPrivateName(one, args.id, m)
  return done(1)
end

function steps.claimPrivateName()
  local owner = call('HGET', PRIVATE_NAMES, args.hash)
  if not owner then return { 'read', { 'outcome', 'unknown' } } end
  local accountId, id = unpack(unpackMessage(owner))
  local one = account(accountId)
  local m = taggedValue(one, 'p:', id)
  if not m or one.suspended then return { 'read', { 'outcome', 'unknown' } } end
  local function reply(outcome)
    return { 'outcome', outcome, 'nameId', id, 'homeOnly', m[5] }
  end
  local prefix, nowMs, expiresAt = args.prefix, numberArg('nowMs'), numberArg('expiresAtMs')
  local family = familyOf(prefix)
  local last = heldByName(one, m, family)
  local reg = registration(one, prefix)
  if reg then
    local outcome = last and last.id == reg.id and 'own' or 'other'
    if reg.expiresAt >= numberArg('renewBeforeMs') and reg.evidence == SEEN then return { 'read', reply(outcome) } end
    renew(one, reg, expiresAt, SEEN)
    return done(reply(outcome))
  end
  if last and not args.mayMove then return { 'read', reply('occupied') } end
  -- Its own last one gives way first: moving needs no further place.
  local leaving = makeRoom(one, nowMs, false, last)
  if not leaving then return { 'read', reply('too-many') } end
  if last then remove(one, last) end
  for _, old in ipairs(leaving) do remove(one, old) end
  add(one, {
    prefix = prefix, id = args.id, createdAt = nowMs, expiresAt = expiresAt, source = 'private-name', label = m[3],
    evidence = SEEN,
  })
  m[family == 4 and 6 or 7] = args.id
  writePrivateName(one, id, m)
  return done(reply(last and 'moved' or 'made'))
end
