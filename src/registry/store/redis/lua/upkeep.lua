-- What controls do besides answering: begin, be there, keep the snapshot and the log, adopt.

-- Entries of the log that are written anew at most, so that what was trimmed leaves its node of the stream, too.
local REBUILD_LIMIT = 1000

function steps.trimLog()
  local through = math.min(tonumber(A[1]), meta.seq, meta.snapshotSeq)
  if through <= meta.trimmed then return { 'read', 0 } end
  call('HSET', META, 'trimmed', text(through))
  call('XTRIM', LOG, 'MINID', '=', text(through + 1) .. '-0')
  local left = call('XLEN', LOG)
  if left <= REBUILD_LIMIT then
    local items = left > 0 and call('XRANGE', LOG, '-', '+') or {}
    call('DEL', LOG)
    for _, item in ipairs(items) do call('XADD', LOG, item[1], unpack(item[2])) end
  end
  return { 'read', 1 }
end

-- A snapshot is never replaced by an older one.
function steps.putSnapshot()
  local seq = tonumber(A[1])
  if seq < meta.snapshotSeq or seq < meta.trimmed or seq > meta.seq then return { 'read', 0 } end
  call('HSET', META, 'snapshotSeq', text(seq))
  call('SET', SNAPSHOT, A[2])
  return { 'read', 1 }
end

-- This control is there; whether it does the chores; how many steps erased something, and how many of these are
-- seen to.
function steps.beat()
  call('HSET', META, 'heartbeat', text(time()))
  local holder = call('GET', CHORES)
  if not holder and A[2] == '1' then
    call('SET', CHORES, A[1], 'PX', A[3])
    holder = A[1]
  elseif holder == A[1] then
    call('PEXPIRE', CHORES, A[3])
  end
  return { 'read', holder == A[1] and 1 or 0, meta.seq, meta.snapshotSeq, meta.trimmed, counter('erasures'), counter('erased') }
end

-- Gives the chores up for another control.
function steps.leave()
  if call('GET', CHORES) == A[1] then call('DEL', CHORES) end
  return { 'read', 1 }
end

function steps.setErased()
  call('HSET', COUNTERS, 'erased', A[1])
  return { 'read', 1 }
end

-- Steps that may be taken in any state ---------------------------------------------------------------------------

local free = {}

-- Begins an empty store. 'begun', or 'there' if it was begun before.
function free.begin()
  if meta.epoch then return { 'read', 'there' } end
  if call('EXISTS', ENTRIES, ACCOUNTS, LOG, SNAPSHOT) > 0 then return { 'read', 'there' } end
  call('HSET', META, 'format', FORMAT, 'leastFormat', FORMAT, 'epoch', A[1], 'seq', 0, 'trimmed', 0,
    'digestA', 0, 'digestB', 0, 'heartbeat', text(time()), 'snapshotSeq', -1)
  return { 'read', 'begun' }
end

function free.inspect()
  local values = {}
  for index, field in ipairs(META_FIELDS) do values[index] = call('HGET', META, field) end
  return { 'read', values, time() }
end

-- Makes the entries, their profiles, their digest and the leases anew from the registrations, page by page. The mark
-- of lost data keeps all controls and edges from what is half made, until `adopt` ends it.
function free.beginRepair()
  call('HSET', META, 'lostSeq', text(math.max(meta.seq, tonumber(meta.lostSeq or 0))), 'digestA', '0', 'digestB', '0')
  -- Millions of fields are freed beside what others wait for.
  call('UNLINK', ENTRIES, PROFILES, PROFILE_NUMBERS, PROFILE_USES, LEASES, LOG, SNAPSHOT)
  return { 'read', 1 }
end

local function reachCounter(name, value)
  if value <= counter(name) then return end
  counters[name] = value
  counters.changed[name] = true
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
  for _, reg in ipairs(regs) do hold(reg.prefix, one.id, reg.renewal, otherFamily(one, reg.prefix)) end
end

-- The last account of the page, '' where there is none after it.
function free.repairAccounts()
  if not meta.lostSeq then return { 'fault', 'NOT_BEGUN' } end
  local ids = call('ZRANGEBYLEX', ACCOUNTS, A[1] == '' and '-' or '(' .. A[1], '+', 'LIMIT', 0, A[2])
  for _, id in ipairs(ids) do
    local one = account(id)
    if one then repairAccount(one) else write('ZREM', ACCOUNTS, id) end
  end
  if not settle() then return { 'profiles' } end
  flush({})
  return { 'read', ids[tonumber(A[2])] or '' }
end

-- What is there is the truth from now on: a new epoch, in which the numbers go on above all that was known.
function free.adopt()
  local epochNew, knownSeq, predecessors = A[1], tonumber(A[2]), A[3]
  local seq = math.max(meta.seq, knownSeq, tonumber(meta.lostSeq or 0))
  call('HSET', META, 'format', FORMAT, 'leastFormat', FORMAT, 'epoch', epochNew, 'seq', text(seq),
    'trimmed', text(seq), 'digestA', text(meta.digestA), 'digestB', text(meta.digestB), 'snapshotSeq', -1,
    'adopted', epochNew, 'predecessors', predecessors, 'heartbeat', text(time()))
  call('HDEL', META, 'lostSeq')
  call('DEL', LOG, SNAPSHOT)
  return { 'read', seq }
end

-- dispatch -----------------------------------------------------------------------------------------------------

if free[ARGV[1]] then return free[ARGV[1]]() end
if not meta.epoch then return { 'lost', 'empty' } end
if tonumber(meta.leastFormat) > FORMAT then return { 'version', tonumber(meta.format) } end
if meta.epoch ~= ARGV[2] then return { 'lost', 'epoch' } end
if meta.lostSeq then return { 'lost', 'found' } end
if meta.seq < tonumber(ARGV[3]) then
  -- All controls and edges are to know it, before new changes take the numbers of those that are gone.
  if ARGV[1] == 'beat' then call('HSET', META, 'lostSeq', ARGV[3]) end
  return { 'lost', 'older' }
end
local DURING_IMPORT = {
  beginImport = true, importAccount = true, endImport = true, listAccounts = true, deleteAccount = true,
  changesSince = true, putSnapshot = true, trimLog = true, beat = true, leave = true, state = true, setErased = true,
}
if meta.importing and not DURING_IMPORT[ARGV[1]] then return { 'fault', 'IMPORTING' } end
return steps[ARGV[1]]()
