-- Writes what a step decided. Redis refuses the first command for the same reasons as the others (OOM, MISCONF,
-- READONLY, NOREPLICAS), so a refused step has written nothing.

local function flushAccounts()
  for id, one in pairs(accounts) do
    if one then
      local key = accountKey(id)
      if one.changed then
        call('HSET', key, 'region', one.region, 'services', one.services, 'perAccount', text(one.perAccount),
          'suspended', one.suspended and '1' or '0', 'createdAt', one.createdAt, 'secret', one.secret,
          'ipv4', text(one.ipv4), 'ipv6', text(one.ipv6), 'tokens', text(one.tokens),
          'hostnames', text(one.hostnames), 'keep', one.keep and '1' or '0')
        if one.activeAt then call('HSET', key, 'activeAt', text(one.activeAt)) end
        if one.keep then
          call('ZREM', ACTIVITY, id)
          call('ZREM', LAPSES, id)
        elseif one.activeAt then
          call('ZADD', ACTIVITY, text(one.activeAt), id)
        end
      end
      for _, reg in ipairs(one.gone or {}) do call('HDEL', key, 'i:' .. reg.id) end
      for prefix in pairs(one.changedRegs) do
        local reg = one.regs[prefix]
        if reg then
          call('HSET', key, 'i:' .. reg.id, prefix, 'r:' .. prefix,
            pack({ reg.id, reg.number, reg.renewal, reg.createdAt, reg.expiresAt, reg.source, reg.label,
              reg.evidence }))
          call('ZADD', LEASES, text(leaseEnd(reg)), prefix .. id)
        else
          call('HDEL', key, 'r:' .. prefix)
          call('ZREM', LEASES, prefix .. id)
        end
      end
    end
  end
end

local function flushEntries()
  for _, prefix in ipairs(touched) do
    local one = entries[prefix]
    if #one.holders == 0 then
      call('HDEL', ENTRIES, prefix)
    else
      local message = { 0 }
      for _, holder in ipairs(one.holders) do
        message[#message + 1] = holder.id
        message[#message + 1] = holder.renewal
      end
      call('HSET', ENTRIES, prefix, struct.pack('>I4', one.profile) .. pack(message))
    end
  end
  for _, number in ipairs(profiles.made) do
    if profiles.uses[number] ~= 0 then
      call('HSET', PROFILES, number, profiles.texts[number])
      call('HSET', PROFILE_NUMBERS, profiles.texts[number], number)
    end
  end
  for number, by in pairs(profiles.uses) do
    if by ~= 0 and call('HINCRBY', PROFILE_USES, number, by) == 0 then
      call('HDEL', PROFILE_USES, number)
      call('HDEL', PROFILES, number)
      call('HDEL', PROFILE_NUMBERS, profiles.texts[number])
    end
  end
end

-- Writes the step and its changes to the log. Returns the seq before the changes.
local function flush(changes)
  local first = meta.seq
  meta.seq = first + #changes
  -- Readers of format 1.0 would miss evidence: they stop at the first write of this release.
  call('HSET', META, 'format', LAYOUT, 'leastFormat', FORMAT, 'seq', text(meta.seq), 'digestA', text(meta.digestA),
    'digestB', text(meta.digestB))
  flushAccounts()
  flushEntries()
  for _, command in ipairs(writes) do call(unpack(command)) end
  if erased then nextOf('erasures') end
  for name in pairs(counters.changed) do call('HSET', COUNTERS, name, text(counters[name])) end
  if #changes > 0 then
    local now = text(time())
    for index, change in ipairs(changes) do
      call('XADD', LOG, text(first + index) .. '-0', 'c', change, 't', now)
    end
  end
  return first
end

-- Settles and writes the step, and makes its reply.
local endTold
local function done(reply)
  while #givenUp > 0 do endTold(table.remove(givenUp)) end
  local changes = settle()
  if not changes then return { 'profiles' } end
  local first = flush(changes)
  return { 'done', { text(first), changes }, reply }
end

local function accountReply(one)
  return {
    'id', one.id, 'region', one.region, 'perAccount', one.perAccount, 'suspended', one.suspended and 1 or 0,
    'services', one.services, 'createdAtMs', tonumber(one.createdAt), 'activeAtMs', one.activeAt or 0,
    'keep', one.keep and 1 or 0,
  }
end
