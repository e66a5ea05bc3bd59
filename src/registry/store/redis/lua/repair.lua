-- Steps that run in any state of the store: begin, inspect, repair, adopt.

local free = {}

-- Begins an empty store. Replies 'begun', or 'there' if it was begun before.
function free.begin()
  if meta.epoch then return { 'read', 'there' } end
  if call('EXISTS', ENTRIES, ACCOUNTS, LOG, SNAPSHOT) > 0 then return { 'read', 'there' } end
  call('HSET', META, 'format', LAYOUT, 'leastFormat', FORMAT, 'epoch', args.epoch, 'seq', 0, 'trimmed', 0,
    'digestA', 0, 'digestB', 0, 'heartbeat', text(time()), 'snapshotSeq', -1)
  return { 'read', 'begun' }
end

function free.inspect()
  local values = {}
  for index, field in ipairs(META_FIELDS) do values[index] = call('HGET', META, field) end
  return { 'read', values, time() }
end

-- Begins to rebuild the entries, their profiles, their digest and the leases from the registrations, page by page.
-- The mark of lost data keeps controls and edges away until `adopt`.
function free.beginRepair()
  call('HSET', META, 'lostSeq', text(math.max(meta.seq, tonumber(meta.lostSeq or 0))), 'digestA', '0', 'digestB', '0')
  -- UNLINK frees millions of fields in the background.
  call('UNLINK', ENTRIES, PROFILES, PROFILE_NUMBERS, PROFILE_USES, LEASES, LOG, SNAPSHOT, PREVIOUS_SNAPSHOT)
  return { 'read', 1 }
end

local function reachCounter(name, value)
  if value > counter(name) then setCounter(name, value) end
end

local function repairAccount(one)
  local ipv4, ipv6 = 0, 0
  local regs = registrations(one)
  for _, reg in ipairs(regs) do
    putRegistration(one, reg)
    reachCounter('number', reg.number)
    reachCounter('renewal', reg.renewal)
    if familyOf(reg.prefix) == 4 then ipv4 = ipv4 + 1 else ipv6 = ipv6 + 1 end
  end
  one.changed = one.ipv4 ~= ipv4 or one.ipv6 ~= ipv6
  one.ipv4, one.ipv6 = ipv4, ipv6
  if one.suspended then return end
  for _, reg in ipairs(regs) do hold(one, reg) end
end

-- Lists a page of accounts with the ids of what they hold.
function free.listIds()
  local list = {}
  for _, id in ipairs(accountPage()) do
    local one = account(id)
    local regs, tokens, names, privateNames = {}, {}, {}, {}
    for _, reg in ipairs(one and registrations(one) or {}) do regs[#regs + 1] = reg.id end
    for _, token in ipairs(one and tagged(one, 't:') or {}) do tokens[#tokens + 1] = token.id end
    for _, name in ipairs(one and tagged(one, 'h:') or {}) do names[#names + 1] = name.id end
    for _, name in ipairs(one and tagged(one, 'p:') or {}) do privateNames[#privateNames + 1] = name.id end
    list[#list + 1] = {
      'id', id, 'registrations', regs, 'updateTokens', tokens, 'hostnames', names, 'privateNames', privateNames,
    }
  end
  return { 'read', list }
end

local ERASING = {
  deleteAccount = true, removeRegistration = true, removeUpdateToken = true, removeHostname = true,
  removePrivateName = true,
}

-- Erases again what an older state of the data brought back, by the step args.step.
function free.eraseAgain()
  if not meta.lostSeq or not ERASING[args.step] then return { 'fault', 'NOT_BEGUN' } end
  return steps[args.step]()
end

-- Replies the last account of the page, '' on the last page.
function free.repairAccounts()
  if not meta.lostSeq then return { 'fault', 'NOT_BEGUN' } end
  local ids = accountPage()
  for _, id in ipairs(ids) do
    local one = account(id)
    if one then repairAccount(one) else write('ZREM', ACCOUNTS, id) end
  end
  if not settle() then return { 'profiles' } end
  flush({})
  return { 'read', ids[numberArg('limit')] or '' }
end

-- Declares the present data to be the truth: a new epoch, whose numbers continue above all that were known.
function free.adopt()
  local seq = math.max(meta.seq, numberArg('knownSeq'), tonumber(meta.lostSeq or 0))
  call('HSET', META, 'format', LAYOUT, 'leastFormat', FORMAT, 'epoch', args.epoch, 'seq', text(seq),
    'trimmed', text(seq), 'digestA', text(meta.digestA), 'digestB', text(meta.digestB), 'snapshotSeq', -1,
    'adopted', args.epoch, 'predecessors', args.predecessors, 'heartbeat', text(time()))
  call('HDEL', META, 'lostSeq', 'previousSnapshotSeq')
  call('DEL', LOG, SNAPSHOT, PREVIOUS_SNAPSHOT)
  return { 'read', seq }
end
